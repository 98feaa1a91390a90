"""Binance's public REST: candles, aggregates, trades and what is listed, with weights.

Refusals are worded as theirs. `main` is api.binance.com, which also has older single trades; the keyless host has not.
Source: docs/add-an-exchange.md#binance.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from aiohttp import web
from marketdata.clock import Clock
from marketdata.model.times import EPOCH

from local.exchanges.binance_market import BinanceMarket, quote
from local.exchanges.binance_wire import (
    INTERVALS,
    aggregate_row,
    encode,
    kline_row,
    milliseconds,
    opening,
    trade_row,
)
from local.exchanges.faults import Faults

ROWS_MAX = 1_000
ROWS_DEFAULT = 500
WEIGHT_A_MINUTE = 6_000
_Answer = Callable[[web.Request], object]


class _Refused(Exception):
    """What Binance does not answer: its code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class BinanceRestServer:
    """The handlers, over one market as far as the clock has come."""

    def __init__(self, market: BinanceMarket, clock: Clock, faults: Faults, *, main: bool) -> None:
        self._market = market
        self._clock = clock
        self._faults = faults
        self._main = main
        self._used: dict[tuple[str, datetime], int] = {}

    def routes(self) -> list[web.RouteDef]:
        """Where each handler answers, and what it weighs."""
        answers: dict[str, tuple[_Answer, int]] = {
            "/api/v3/klines": (self.klines, 2),
            "/api/v3/aggTrades": (self.aggregates, 4),
            "/api/v3/trades": (self.recent, 25),
            "/api/v3/exchangeInfo": (self.listed, 20),
            "/api/v3/time": (self.time, 1),
        }
        if self._main:
            answers["/api/v3/historicalTrades"] = (self.historical, 25)
        return [web.get(path, self._guarded(answer, weight)) for path, (answer, weight) in answers.items()]

    def time(self, request: web.Request) -> object:
        """The exchange's clock."""
        return {"serverTime": milliseconds(self._clock.now())}

    def listed(self, request: web.Request) -> object:
        """Every symbol."""
        symbols = [
            {"symbol": symbol, "status": "TRADING", "baseAsset": one.base, "quoteAsset": quote(one)}
            for symbol, one in self._market.products.items()
        ]
        return {"timezone": "UTC", "serverTime": milliseconds(self._clock.now()), "rateLimits": [], "symbols": symbols}

    def klines(self, request: web.Request) -> object:
        """Rows from `startTime` on, oldest first, or the newest; flat where nobody traded; the last may still grow."""
        symbol, limit, now = self._symbol(request), _limit(request), self._clock.now()
        interval = request.query.get("interval", "")
        if interval not in INTERVALS:
            raise _Refused(-1120, "Invalid interval.")
        step = INTERVALS[interval]
        newest = opening(_time(request, "endTime", now), interval)
        oldest = _time(request, "startTime", newest - step * (limit - 1))
        opens = opening(oldest, interval)
        opens = opens if opens == oldest else opens + step
        opens = max(opens, opening(self._market.listed_at, interval))
        rows: list[object] = []
        while opens <= min(newest, now) and len(rows) < limit:
            rows.append(self._row(symbol, opens, interval, min(opens + step, now)))
            opens += step
        return rows

    def _row(self, symbol: str, opens: datetime, interval: str, until: datetime) -> list[object]:
        trades = self._market.trades(symbol, opens, until)
        before = self._market.trades_by_id(symbol, (first := self._market.next_id(symbol, opens)) - 1, first)
        return kline_row(opens, interval, trades, before[0].price if before else Decimal(1))

    def aggregates(self, request: web.Request) -> object:
        """From an aggregate's number on, or the newest."""
        symbol, limit = self._symbol(request), _limit(request)
        rows = self._market.aggregates(symbol, self._clock.now())
        first = _number(request, "fromId", max(0, len(rows) - limit))
        if "startTime" in request.query:
            start_ns = _number(request, "startTime", 0) * 1_000_000
            first = bisect_left(rows, start_ns, key=lambda one: one.time_ns)
        return [aggregate_row(one, first + place) for place, one in enumerate(rows[first : first + limit])]

    def recent(self, request: web.Request) -> object:
        """The newest trades, oldest first."""
        symbol = self._symbol(request)
        end = self._market.next_id(symbol, self._clock.now())
        return [trade_row(one) for one in self._market.trades_by_id(symbol, end - _limit(request), end)]

    def historical(self, request: web.Request) -> object:
        """Trades from an id on, or the newest."""
        symbol, limit = self._symbol(request), _limit(request)
        end = self._market.next_id(symbol, self._clock.now())
        first = _number(request, "fromId", max(0, end - limit))
        return [trade_row(one) for one in self._market.trades_by_id(symbol, first, min(end, first + limit))]

    def _guarded(self, answer: _Answer, weight: int) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def guarded(request: web.Request) -> web.Response:
            if self._faults.rest_status is not None:
                status, headers = self._faults.rest_status
                return _json({"code": 0, "msg": "refused"}, status, headers)
            if self._faults.refusing_rest:
                return _json({"code": -1001, "msg": "Internal error; unable to process your request."}, 503)
            used = self._spend(request.remote or "", weight)
            headers = {"X-MBX-USED-WEIGHT-1M": str(used)}
            if used > WEIGHT_A_MINUTE:
                return _json(
                    {"code": -1003, "msg": "Too much request weight used."}, 429, {**headers, "Retry-After": "60"}
                )
            try:
                return _json(await asyncio.to_thread(answer, request), 200, headers)
            except _Refused as refused:
                return _json({"code": refused.code, "msg": str(refused)}, 400, headers)

        return guarded

    def _spend(self, address: str, weight: int) -> int:
        minute = self._clock.now().replace(second=0, microsecond=0)
        self._used = {key: used for key, used in self._used.items() if key[1] == minute}
        self._used[address, minute] = self._used.get((address, minute), 0) + weight
        return self._used[address, minute]

    def _symbol(self, request: web.Request) -> str:
        symbol = request.query.get("symbol", "")
        if symbol not in self._market.products:
            raise _Refused(-1121, "Invalid symbol.")
        return symbol


def _json(document: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(text=encode(document), status=status, content_type="application/json", headers=headers)


def _limit(request: web.Request) -> int:
    return min(ROWS_MAX, max(1, _number(request, "limit", ROWS_DEFAULT)))


def _number(request: web.Request, name: str, otherwise: int) -> int:
    given = request.query.get(name)
    if given is None:
        return otherwise
    if not given.isdecimal() or len(given) > 18:
        raise _Refused(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
    return int(given)


def _time(request: web.Request, name: str, otherwise: datetime) -> datetime:
    given = _number(request, name, -1)
    return otherwise if given < 0 else (EPOCH + timedelta(milliseconds=given)).astimezone(UTC)
