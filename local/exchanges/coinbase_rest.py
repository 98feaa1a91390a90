"""Coinbase's public REST: products, candles, trades and time of the Exchange, and Advanced Trade's candles.

Refusals are worded as theirs. A candle request whose two ends are both given covers the buckets from the one that holds
`start` up to and including the one that opens at `end`. The newest row may still be growing.
Source: docs/add-an-exchange.md#coinbase.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from aiohttp import web
from marketdata.clock import Clock
from marketdata.model.span import Span
from marketdata.model.times import EPOCH, utc
from marketdata.model.trade import Trade

from local.exchanges.budget import Budgets
from local.exchanges.coinbase_wire import Refusal, encode, maker_side, microseconds, plain
from local.exchanges.faults import Faults
from local.exchanges.products import SIZE_DECIMALS, Product
from local.exchanges.tape import Bar, Tape

CANDLES_MAX = 300
ADVANCED_CANDLES_MAX = 350
TRADES_MAX = 1000

_GRANULARITIES = frozenset({60, 300, 900, 3600, 21_600, 86_400})
_ADVANCED_GRANULARITIES = {
    "ONE_MINUTE": 60,
    "FIVE_MINUTE": 300,
    "FIFTEEN_MINUTE": 900,
    "THIRTY_MINUTE": 1800,
    "ONE_HOUR": 3600,
    "TWO_HOUR": 7200,
    "SIX_HOUR": 21_600,
    "ONE_DAY": 86_400,
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Rest:
    """The handlers, over one tape as far as the clock has come."""

    def __init__(self, tape: Tape, clock: Clock, faults: Faults) -> None:
        self._tape = tape
        self._clock = clock
        self._faults = faults
        self._budgets = Budgets(clock, per_second=10, burst=15)

    def routes(self) -> list[web.RouteDef]:
        """Where each handler answers; whatever else is asked for is not found."""
        handlers: dict[str, _Handler] = {
            "/time": self.time,
            "/products": self.products,
            "/products/{symbol}/candles": self.candles,
            "/products/{symbol}/trades": self.trades,
            "/api/v3/brokerage/market/products/{symbol}/candles": self.advanced_candles,
            "/{anything:.*}": self.nothing,
        }
        return [web.get(path, self._guarded(handler)) for path, handler in handlers.items()]

    async def time(self, request: web.Request) -> web.Response:
        """The exchange's clock."""
        now = self._clock.now()
        return _json({"iso": microseconds(now), "epoch": (now - EPOCH).total_seconds()})

    async def products(self, request: web.Request) -> web.Response:
        """Everything listed."""
        return _json([_product(product) for product in self._tape.products.values()])

    async def candles(self, request: web.Request) -> web.Response:
        """`[time, low, high, open, close, volume]`, newest first; no row for a bucket without trades."""
        symbol = self._symbol(request)
        granularity = _whole_number(request, "granularity", 60)
        if granularity not in _GRANULARITIES:
            raise Refusal("Unsupported granularity")
        first, last = self._window(request, granularity)
        if (last - first).total_seconds() / granularity > CANDLES_MAX:
            raise Refusal(
                "granularity too small for the requested time range. Count of aggregations requested exceeds 300"
            )
        bars = await asyncio.to_thread(self._bars, symbol, granularity, first, last)
        return _json([[opens, bar.low, bar.high, bar.open, bar.close, bar.volume] for opens, bar in bars])

    async def advanced_candles(self, request: web.Request) -> web.Response:
        """Advanced Trade's form of the same: objects of strings, newest first, both ends required."""
        symbol = self._symbol(request)
        granularity = _ADVANCED_GRANULARITIES.get(request.query.get("granularity", ""))
        if granularity is None:
            raise Refusal("granularity argument is invalid")
        if "start" not in request.query or "end" not in request.query:
            raise Refusal("start and end argument is invalid")
        first, last = self._window(request, granularity)
        if (last - first).total_seconds() / granularity > ADVANCED_CANDLES_MAX:
            raise Refusal("start and end argument is invalid - number of candles requested should be less than 350")
        bars = await asyncio.to_thread(self._bars, symbol, granularity, first, last)
        return _json({"candles": [_candle(opens, bar) for opens, bar in bars]})

    async def trades(self, request: web.Request) -> web.Response:
        """Trades newest first; `after` asks for ids below it, `before` for ids above it."""
        symbol = self._symbol(request)
        limit = min(_whole_number(request, "limit", TRADES_MAX), TRADES_MAX)
        if limit < 1:
            raise Refusal("Invalid limit")
        end = self._tape.next_id(symbol, self._clock.now())
        end = min(end, _whole_number(request, "after", end))
        first = max(end - limit, _whole_number(request, "before", 0) + 1)
        trades = self._tape.trades_by_id(symbol, first, end)[::-1]
        places = self._tape.products[symbol].quote_decimals
        return _json([_trade(trade, places) for trade in trades], _cursors(trades))

    async def nothing(self, request: web.Request) -> web.Response:
        """No such path."""
        raise web.HTTPNotFound

    def _guarded(self, handler: _Handler) -> _Handler:
        """Refusals as the exchange words them, for a handler that only knows its own business."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            if self._faults.refusing_rest:
                return _message(503, "Service Unavailable")
            if not self._budgets.spend(request.remote or ""):
                return _message(429, "Public rate limit exceeded")
            try:
                return await handler(request)
            except web.HTTPNotFound:
                return _message(404, "NotFound")
            except Refusal as refusal:
                return _message(400, str(refusal))

        return guarded

    def _symbol(self, request: web.Request) -> str:
        symbol = request.match_info["symbol"]
        if symbol not in self._tape.products:
            raise web.HTTPNotFound
        return symbol

    def _window(self, request: web.Request, granularity: int) -> tuple[datetime, datetime]:
        """From `start` to `end`; unless both are given, the newest 300 buckets."""
        if "start" not in request.query or "end" not in request.query:
            now = self._clock.now()
            return now - timedelta(seconds=granularity * (CANDLES_MAX - 1)), now
        first, last = _time(request, "start"), _time(request, "end")
        if first > last:
            raise Refusal("start must be before end")
        return first, last

    def _bars(self, symbol: str, granularity: int, first: datetime, last: datetime) -> list[tuple[int, Bar]]:
        """The buckets that have trades, by opening second, newest first, the newest as far as the clock has come."""
        now = self._clock.now()
        opens = int((min(last, now) - EPOCH).total_seconds()) // granularity * granularity
        oldest = int((first - EPOCH).total_seconds()) // granularity * granularity
        bars = []
        while opens >= oldest:
            start = EPOCH + timedelta(seconds=opens)
            end = min(start + timedelta(seconds=granularity), now)
            if start < end and (bar := self._tape.bar(symbol, Span(start, end))):
                bars.append((opens, bar))
            opens -= granularity
        return bars


def _json(document: object, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(text=encode(document), content_type="application/json", headers=headers)


def _message(status: int, message: str) -> web.Response:
    return web.Response(status=status, text=encode({"message": message}), content_type="application/json")


def _cursors(trades: list[Trade]) -> dict[str, str]:
    """CB-BEFORE leads to newer trades, CB-AFTER to older ones."""
    return {"CB-BEFORE": str(trades[0].id), "CB-AFTER": str(trades[-1].id)} if trades else {}


def _trade(trade: Trade, places: int) -> dict[str, object]:
    """Over REST, other than on the feed, numbers keep their trailing zeros."""
    return {
        "trade_id": trade.id,
        "side": maker_side(trade),
        "size": f"{trade.size:.{SIZE_DECIMALS}f}",
        "price": f"{trade.price:.{places}f}",
        "time": microseconds(utc(trade.time_ns)),
    }


def _candle(opens: int, bar: Bar) -> dict[str, str]:
    numbers = {"low": bar.low, "high": bar.high, "open": bar.open, "close": bar.close, "volume": bar.volume}
    return {"start": str(opens), **{name: plain(number) for name, number in numbers.items()}}


def _product(product: Product) -> dict[str, object]:
    return {
        "id": product.symbol,
        "base_currency": product.base,
        "quote_currency": product.quote,
        "quote_increment": f"{product.quote_increment:f}",
        "base_increment": f"{Decimal(1).scaleb(-SIZE_DECIMALS):f}",
        "display_name": f"{product.base}/{product.quote}",
        "status": "online",
        "status_message": "",
        "trading_disabled": False,
    }


def _whole_number(request: web.Request, name: str, otherwise: int) -> int:
    text = request.query.get(name)
    if text is None:
        return otherwise
    # Longer numbers are no ids, and Python refuses to read very long ones.
    if not text.isdecimal() or len(text) > 18:
        raise Refusal(f"Invalid {name}")
    return int(text)


def _time(request: web.Request, name: str) -> datetime:
    """ISO 8601, or seconds since the epoch."""
    text = request.query[name]
    try:
        time = EPOCH + timedelta(seconds=int(text)) if text.isdecimal() else datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise Refusal(f"Invalid {name}") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)
