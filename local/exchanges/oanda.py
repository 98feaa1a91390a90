"""A server that speaks OANDA's v20 wire protocol about an invented market: the pricing stream and REST candles.

The stream tells at most the last price of each quarter second, as OANDA's does, so candles made of it differ from the
ones that REST answers with: those know every tick. Faults strike the stream; REST never lies.
Source: docs/add-an-exchange.md#oanda.
"""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from aiohttp import web
from marketdata.clock import Clock
from marketdata.model.span import Span
from marketdata.model.times import NANOSECONDS_A_SECOND, rfc3339, utc

from local.exchanges.quotes import HOUR, QuoteMarket, Tick

INSTRUMENTS = ("EUR_USD", "GBP_USD")
PLACES = 5
TOKEN, ACCOUNT = "a-token", "101-001-1-1"
HEARTBEAT = timedelta(seconds=5)
CANDLES_MAX = 5_000
_WINDOW_MS = 250
_GRANULARITIES = {"M1": 1, "M5": 5, "M15": 15, "H1": 60, "H4": 240, "H12": 720, "D": 1440}
_SIDES = {"B": "bid", "A": "ask", "M": "mid"}


class OandaFaults:
    """A healthy exchange, until told otherwise."""

    def __init__(self) -> None:
        self.silent = False
        """Keep answers open and say nothing."""
        self.refusing = 0
        """Answer everything with this status."""
        self.closed = False
        """Prices are not tradeable, as on a weekend."""
        self._cuts = 0
        self._injected: deque[bytes] = deque(maxlen=100)

    def cut(self) -> None:
        """End every open stream once."""
        self._cuts += 1

    def inject(self, line: bytes) -> None:
        """Send one raw line on the next stream that looks."""
        self._injected.append(line)

    @property
    def cuts(self) -> int:
        """How often streams were cut so far."""
        return self._cuts

    def take_injected(self) -> list[bytes]:
        """The lines to send now; asking uses them up."""
        lines = [*self._injected]
        self._injected.clear()
        return lines


class OandaServer:
    """The handlers, over one market as far as the clock has come."""

    def __init__(
        self, market: QuoteMarket, clock: Clock, faults: OandaFaults | None = None, *, poll_seconds: float = 0.05
    ) -> None:
        self._market = market
        self._clock = clock
        self._faults = faults or OandaFaults()
        self._poll_seconds = poll_seconds

    def application(self) -> web.Application:
        """The server, as an aiohttp application."""
        application = web.Application()
        application.router.add_get("/v3/accounts/{account}/pricing/stream", self._guarded(self.stream))
        application.router.add_get("/v3/instruments/{instrument}/candles", self._guarded(self.candles))
        return application

    def _guarded(
        self, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def guarded(request: web.Request) -> web.StreamResponse:
            if self._faults.refusing:
                return web.Response(status=self._faults.refusing, headers={"Retry-After": "1"})
            if request.headers.get("Authorization") != f"Bearer {TOKEN}":
                return _refusal(401, "Insufficient authorization to perform request.")
            return await handler(request)

        return guarded

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Lines without end: the newest price of each instrument first, then prices and a heartbeat each 5 s."""
        instruments = request.query.get("instruments", "").split(",")
        if request.match_info["account"] != ACCOUNT or not set(instruments) <= set(INSTRUMENTS):
            return _refusal(400, "Invalid value specified for 'instruments'")
        answer = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        await answer.prepare(request)
        cuts, told_until = self._faults.cuts, self._clock.now() - timedelta(seconds=60)
        beat_at = self._clock.now()
        while self._faults.cuts == cuts:
            now = self._clock.now()
            lines = self._faults.take_injected()
            if not self._faults.silent:
                lines += [line for name in instruments for line in self._prices(name, told_until, now)]
                if now >= beat_at:
                    lines.append(_line({"type": "HEARTBEAT", "time": rfc3339(now)}))
                    beat_at = now + HEARTBEAT
            told_until = now
            if lines:
                await answer.write(b"".join(lines))
            await asyncio.sleep(self._poll_seconds)
        if request.transport is not None:
            request.transport.close()
        return answer

    def _prices(self, name: str, after: datetime, until: datetime) -> list[bytes]:
        """The last price of each quarter second after one moment and up to another."""
        windows: dict[int, tuple[datetime, Tick]] = {}
        for time, tick in self._ticks(name, after, until):
            windows[int(time.timestamp() * 1_000) // _WINDOW_MS] = (time, tick)
        return [self._price(name, time, tick) for time, tick in windows.values()]

    def _price(self, name: str, time: datetime, tick: Tick) -> bytes:
        bid, ask = (f"{Decimal(points).scaleb(-PLACES):f}" for points in (tick.bid, tick.ask))
        return _line(
            {
                "type": "PRICE",
                "instrument": name,
                "time": rfc3339(time).replace("Z", "000Z"),
                "tradeable": not self._faults.closed,
                "bids": [{"price": bid, "liquidity": tick.bid_size}],
                "asks": [{"price": ask, "liquidity": tick.ask_size}],
                "closeoutBid": bid,
                "closeoutAsk": ask,
            }
        )

    def _ticks(self, name: str, after: datetime, until: datetime) -> Iterable[tuple[datetime, Tick]]:
        hour = after.replace(minute=0, second=0, microsecond=0)
        while hour <= until:
            for tick in self._market.hour(name, hour):
                time = hour + timedelta(milliseconds=tick.milliseconds)
                if after < time <= until:
                    yield time, tick
            hour += HOUR

    async def candles(self, request: web.Request) -> web.Response:
        """Candles of every tick; none for a bucket without. Days begin at 17:00 New York unless asked otherwise."""
        query, name = request.query, request.match_info["instrument"]
        minutes = _GRANULARITIES.get(query.get("granularity", "S5"))
        if name not in INSTRUMENTS or minutes is None:
            return _refusal(400, "Invalid value specified for 'instrument' or 'granularity'")
        if minutes > 60 and (query.get("dailyAlignment"), query.get("alignmentTimezone")) != ("0", "UTC"):
            return _refusal(400, "this server knows days of UTC only")
        length = timedelta(minutes=minutes)
        start, end = (datetime.fromisoformat(query[name]) for name in ("from", "to"))
        if (end - start) / length > CANDLES_MAX:
            return _refusal(400, "Maximum value for 'count' exceeded")
        rows = self._rows(name, Span(start, min(end, self._clock.now())), length, query.get("price", "M"))
        return web.json_response({"instrument": name, "granularity": query["granularity"], "candles": rows})

    def _rows(self, name: str, span: Span, length: timedelta, prices: str) -> list[dict[str, Any]]:
        buckets: dict[datetime, list[Tick]] = {}
        for time, tick in self._ticks(name, span.start - timedelta(microseconds=1), span.end):
            seconds = int(length.total_seconds())
            opens = utc(int(time.timestamp()) // seconds * seconds * NANOSECONDS_A_SECOND)
            if opens < span.end:
                buckets.setdefault(opens, []).append(tick)
        now = self._clock.now()
        return [
            {
                "complete": opens + length <= now,
                "volume": len(ticks),
                "time": rfc3339(opens).replace("Z", ".000000000Z"),
                **{_SIDES[letter]: _ohlc([_points(tick, letter) for tick in ticks]) for letter in prices},
            }
            for opens, ticks in buckets.items()
        ]


def _points(tick: Tick, letter: str) -> Decimal:
    points = {"B": Decimal(tick.bid), "A": Decimal(tick.ask), "M": Decimal(tick.bid + tick.ask) / 2}[letter]
    return points.scaleb(-PLACES)


def _ohlc(prices: list[Decimal]) -> dict[str, str]:
    values = {"o": prices[0], "h": max(prices), "l": min(prices), "c": prices[-1]}
    return {letter: f"{price:f}" for letter, price in values.items()}


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode() + b"\n"


def _refusal(status: int, message: str) -> web.Response:
    return web.json_response({"errorMessage": message}, status=status)
