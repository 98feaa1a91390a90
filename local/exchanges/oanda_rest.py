"""OANDA's REST candles. Refusals are worded as theirs. Source: docs/add-an-exchange.md#oanda."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from aiohttp import web
from marketdata.clock import Clock
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe
from marketdata.model.times import rfc3339

from local.exchanges.budget import Budgets
from local.exchanges.faults import Faults
from local.exchanges.oanda_wire import instruments, is_known, prices_of, refusal, spread
from local.exchanges.tape import Bar, Market

CANDLES_MAX = 5_000
REQUESTS_A_SECOND = 100
_MINUTES = {"M1": 1, "M5": 5, "M15": 15, "H1": 60, "H4": 240, "H12": 720, "D": 1_440, "W": 10_080}
_UTC = {"dailyAlignment": "0", "alignmentTimezone": "UTC", "weeklyAlignment": "Monday"}
_SIDES = {"B": ("bid", -1), "M": ("mid", 0), "A": ("ask", 1)}


class _Refusal(Exception):
    """The text is what is said."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


class OandaRest:
    """The handler, over one tape as far as the clock has come."""

    def __init__(self, tape: Market, clock: Clock, faults: Faults) -> None:
        self._tape = tape
        self._clock = clock
        self._faults = faults
        self._listed = instruments(tape.products.values())
        self._budgets = Budgets(clock, REQUESTS_A_SECOND, REQUESTS_A_SECOND)

    def routes(self) -> list[web.RouteDef]:
        """Where it answers."""
        return [web.get("/v3/instruments/{instrument}/candles", self.candles)]

    async def candles(self, request: web.Request) -> web.Response:
        """Candles of every price; none for a bucket without."""
        try:
            return web.json_response(await asyncio.to_thread(self._candles, request))
        except _Refusal as refused:
            return refusal(refused.status, str(refused))

    def _candles(self, request: web.Request) -> dict[str, Any]:
        self._admit(request)
        query, name = request.query, request.match_info["instrument"]
        minutes, sides = _MINUTES.get(query.get("granularity", "S5")), query.get("price", "M")
        if name not in self._listed or minutes is None or set(sides) - _SIDES.keys():
            raise _Refusal(400, "Invalid value specified for 'instrument', 'granularity' or 'price'")
        if minutes > 60 and {name: query.get(name) for name in _UTC} != _UTC:
            raise _Refusal(400, "this server knows days of UTC only")
        span = Span(*(datetime.fromisoformat(query[edge]) for edge in ("from", "to")))
        if (span.end - span.start) / timedelta(minutes=minutes) > CANDLES_MAX:
            raise _Refusal(400, "Maximum value for 'count' exceeded")
        rows = self._rows(self._listed[name], span, minutes, sides)
        return {"instrument": name, "granularity": query["granularity"], "candles": rows}

    def _admit(self, request: web.Request) -> None:
        if self._faults.refusing_rest:
            raise _Refusal(503, "Service Unavailable")
        if not self._budgets.spend(request.remote or ""):
            raise _Refusal(429, "Too many requests")
        if not is_known(request):
            raise _Refusal(401, "Insufficient authorization to perform request.")

    def _rows(self, product: str, span: Span, minutes: int, sides: str) -> list[dict[str, Any]]:
        now, step = self._clock.now(), spread(self._tape.products[product])
        rows = []
        for bucket in _buckets(span, Timeframe(f"{minutes}m", minutes)):
            seen = Span(bucket.start, min(bucket.end, now)) if bucket.start < now else None
            bar = self._tape.bar(product, seen) if seen is not None else None
            if bar is not None and seen is not None:
                prices = {_SIDES[side][0]: _ohlc(bar, _SIDES[side][1] * step) for side in sides}
                volume = prices_of(self._tape, product, seen)
                time = rfc3339(bucket.start).replace("Z", ".000000000Z")
                rows.append({"complete": bucket.end <= now, "volume": volume, "time": time, **prices})
        return rows


def _buckets(span: Span, timeframe: Timeframe) -> Iterator[Span]:
    opens = timeframe.floor(span.start)
    while opens < span.end:
        yield Span(opens, opens + timeframe.duration)
        opens += timeframe.duration


def _ohlc(bar: Bar, step: Decimal) -> dict[str, str]:
    values = {"o": bar.open, "h": bar.high, "l": bar.low, "c": bar.close}
    return {letter: f"{value + step:f}" for letter, value in values.items()}
