"""Bitfinex's public REST v2: candles, trades, pairs and platform status. Refusals are worded as theirs.

Source: docs/add-an-exchange.md#bitfinex.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from aiohttp import web
from marketdata.clock import Clock
from marketdata.model.span import Span
from marketdata.model.times import EPOCH

from local.exchanges.bitfinex_wire import Row, candle_row, encode, milliseconds, symbols, trade_row
from local.exchanges.budget import Budgets
from local.exchanges.faults import Faults
from local.exchanges.tape import OPENING, Market

ROWS_MAX = 10_000
CANDLES_DEFAULT, TRADES_DEFAULT = 100, 120
CANDLES_A_MINUTE, TRADES_A_MINUTE = 30, 15

_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "3h": 180, "6h": 360, "12h": 720, "1D": 1440}
_Handler = Callable[[web.Request], Awaitable[web.Response]]


class _Refusal(Exception):
    """The text is the reason that the exchange gives."""


class BitfinexRest:
    """The handlers, over one tape as far as the clock has come."""

    def __init__(self, tape: Market, clock: Clock, faults: Faults) -> None:
        self._tape = tape
        self._clock = clock
        self._faults = faults
        self._listed = symbols(tape.products.values())
        self._candle_budget = Budgets(clock, CANDLES_A_MINUTE / 60, CANDLES_A_MINUTE)
        self._trade_budget = Budgets(clock, TRADES_A_MINUTE / 60, TRADES_A_MINUTE)

    def routes(self) -> list[web.RouteDef]:
        """Where each handler answers."""
        return [
            web.get("/v2/candles/{key}/hist", self._guarded(self.candles, self._candle_budget)),
            web.get("/v2/trades/{symbol}/hist", self._guarded(self.trades, self._trade_budget)),
            web.get("/v2/conf/pub:list:pair:exchange", self._guarded(self.pairs, self._candle_budget)),
            web.get("/v2/platform/status", self._guarded(self.status, self._candle_budget)),
        ]

    async def candles(self, request: web.Request) -> web.Response:
        """Rows from `start` to `end`, both included; no row for a bucket without trades."""
        kind, _, rest = request.match_info["key"].partition(":")
        timeframe, _, symbol = rest.partition(":")
        if kind != "trade" or timeframe not in _MINUTES:
            raise _Refusal("key: invalid")
        rows = await asyncio.to_thread(self._bars, self._product(symbol), _MINUTES[timeframe], request)
        return _json(rows)

    async def trades(self, request: web.Request) -> web.Response:
        """Rows from `start` to `end`, both included."""
        product, limit, newest_first = self._product(request.match_info["symbol"]), *_order(request, TRADES_DEFAULT)
        first_ms, last_ms = self._window(request)
        first = self._tape.next_id(product, _time(first_ms))
        end = self._tape.next_id(product, min(_time(last_ms + 1), self._clock.now()))
        wanted = (max(first, end - limit), end) if newest_first else (first, min(end, first + limit))
        rows = [trade_row(trade) for trade in self._tape.trades_by_id(product, *wanted)]
        return _json(rows[::-1] if newest_first else rows)

    async def pairs(self, request: web.Request) -> web.Response:
        """Everything listed, without the `t`."""
        return _json([[symbol[1:] for symbol in self._listed]])

    async def status(self, request: web.Request) -> web.Response:
        """`[1]`: the platform works."""
        return _json([1])

    def _guarded(self, handler: _Handler, budgets: Budgets) -> _Handler:
        async def guarded(request: web.Request) -> web.Response:
            if self._faults.refusing_rest:
                return _json(["error", 20060, "maintenance"], 503)
            if not budgets.spend(request.remote or ""):
                return _json({"error": "ERR_RATE_LIMIT"}, 429)
            try:
                return await handler(request)
            except _Refusal as refusal:
                return _json(["error", 10020, str(refusal)], 500)

        return guarded

    def _product(self, symbol: str) -> str:
        if symbol not in self._listed:
            raise _Refusal("symbol: invalid")
        return self._listed[symbol]

    def _window(self, request: web.Request) -> tuple[int, int]:
        """From `start` to `end` in ms; all of the past unless they are given."""
        return _number(request, "start", milliseconds(OPENING)), _number(
            request, "end", milliseconds(self._clock.now())
        )

    def _bars(self, product: str, minutes: int, request: web.Request) -> list[Row]:
        """The newest or the oldest rows of the window, the newest bucket as far as the clock has come."""
        limit, newest_first = _order(request, CANDLES_DEFAULT)
        step, now = minutes * 60_000, self._clock.now()
        first_ms, last_ms = self._window(request)
        opens = range(-(-first_ms // step) * step, min(last_ms, milliseconds(now)) + 1, step)
        rows: list[Row] = []
        for opens_ms in reversed(opens) if newest_first else opens:
            end = min(_time(opens_ms + step), now)
            bar = self._tape.bar(product, Span(_time(opens_ms), end)) if _time(opens_ms) < end else None
            if bar is not None:
                rows.append(candle_row(opens_ms, (bar.open, bar.high, bar.low, bar.close, bar.volume)))
            if len(rows) == limit:
                break
        return rows


def _order(request: web.Request, rows_default: int) -> tuple[int, bool]:
    """How many rows, and whether the newest come first. Raises: _Refusal."""
    limit, sort = _number(request, "limit", rows_default), request.query.get("sort", "-1")
    if not 0 < limit <= ROWS_MAX:
        raise _Refusal("limit: invalid")
    if sort not in ("1", "-1"):
        raise _Refusal("sort: invalid")
    return limit, sort == "-1"


def _number(request: web.Request, name: str, otherwise: int) -> int:
    text = request.query.get(name)
    if text is None:
        return otherwise
    if not text.isdecimal() or len(text) > 15:
        raise _Refusal(f"{name}: invalid")
    return int(text)


def _time(time_ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=min(time_ms, 10**14))


def _json(document: object, status: int = 200) -> web.Response:
    return web.Response(text=encode(document), status=status, content_type="application/json")
