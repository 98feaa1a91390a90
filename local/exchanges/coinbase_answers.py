"""What Coinbase's public REST answers: the Exchange's products, candles, trades and time, and Advanced Trade candles.

Pure: a path, a query and a moment come in, a status and a body go out. coinbase_rest.py serves it over sockets; the
simulation (tests/simulation) asks it directly.
Refusals are worded as theirs. A candle request whose two ends are both given covers the buckets from the one that holds
`start` up to and including the one that opens at `end`. The newest row may still be growing.
Source: docs/add-an-exchange.md#coinbase.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from marketdata.model.span import Span
from marketdata.model.times import EPOCH, utc
from marketdata.model.trade import Trade

from local.exchanges.coinbase_wire import Refusal, encode, maker_side, microseconds, plain
from local.exchanges.products import SIZE_DECIMALS, Product
from local.exchanges.tape import Bar, Market

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

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer whose `text` is JSON."""

    text: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class NotListed(Exception):
    """No such path, or no such product."""


_Bars = list[tuple[int, Bar]]
_Ask = Callable[[str, Query, datetime], Answer]


class Answers:
    """Coinbase's REST over one market, as far as the moment of each question has come."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._paths: tuple[tuple[re.Pattern[str], _Ask], ...] = (
            (re.compile("/time"), self._time),
            (re.compile("/products"), self._products),
            (re.compile("/products/([^/]+)/candles"), self._candles),
            (re.compile("/products/([^/]+)/trades"), self._trades),
            (re.compile("/api/v3/brokerage/market/products/([^/]+)/candles"), self._advanced_candles),
        )

    def answer(self, path: str, query: Query, now: datetime) -> Answer:
        """What is said of `path` at `now`."""
        try:
            return self._answer(path, query, now)
        except NotListed:
            return message(404, "NotFound")
        except Refusal as refusal:
            return message(400, str(refusal))

    def _answer(self, path: str, query: Query, now: datetime) -> Answer:
        for pattern, ask in self._paths:
            found = pattern.fullmatch(path)
            if found is not None:
                symbol = found[1] if found.groups() else ""
                if found.groups() and symbol not in self._market.products:
                    raise NotListed
                return ask(symbol, query, now)
        raise NotListed

    def _time(self, symbol: str, query: Query, now: datetime) -> Answer:
        """The exchange's clock."""
        return _json({"iso": microseconds(now), "epoch": (now - EPOCH).total_seconds()})

    def _products(self, symbol: str, query: Query, now: datetime) -> Answer:
        """Everything listed."""
        return _json([_product(product) for product in self._market.products.values()])

    def _candles(self, symbol: str, query: Query, now: datetime) -> Answer:
        """`[time, low, high, open, close, volume]`, newest first; no row for a bucket without trades."""
        granularity = _whole_number(query, "granularity", 60)
        if granularity not in _GRANULARITIES:
            raise Refusal("Unsupported granularity")
        first, last = _window(query, granularity, now)
        if (last - first).total_seconds() / granularity > CANDLES_MAX:
            raise Refusal(
                "granularity too small for the requested time range. Count of aggregations requested exceeds 300"
            )
        bars = self._bars(symbol, granularity, first, last, now)
        return _json([[opens, bar.low, bar.high, bar.open, bar.close, bar.volume] for opens, bar in bars])

    def _advanced_candles(self, symbol: str, query: Query, now: datetime) -> Answer:
        """Advanced Trade's form of the same: objects of strings, newest first, both ends required."""
        granularity = _ADVANCED_GRANULARITIES.get(query.get("granularity", ""))
        if granularity is None:
            raise Refusal("granularity argument is invalid")
        if "start" not in query or "end" not in query:
            raise Refusal("start and end argument is invalid")
        first, last = _window(query, granularity, now)
        if (last - first).total_seconds() / granularity > ADVANCED_CANDLES_MAX:
            raise Refusal("start and end argument is invalid - number of candles requested should be less than 350")
        bars = self._bars(symbol, granularity, first, last, now)
        return _json({"candles": [_candle(opens, bar) for opens, bar in bars]})

    def _trades(self, symbol: str, query: Query, now: datetime) -> Answer:
        """Trades newest first; `after` asks for ids below it, `before` for ids above it."""
        limit = min(_whole_number(query, "limit", TRADES_MAX), TRADES_MAX)
        if limit < 1:
            raise Refusal("Invalid limit")
        end = self._market.next_id(symbol, now)
        end = min(end, _whole_number(query, "after", end))
        first = max(end - limit, _whole_number(query, "before", 0) + 1)
        trades = self._market.trades_by_id(symbol, first, end)[::-1]
        places = self._market.products[symbol].quote_decimals
        return _json([_trade(trade, places) for trade in trades], _cursors(trades))

    def _bars(
        self, symbol: str, granularity: int, first: datetime, last: datetime, now: datetime
    ) -> list[tuple[int, Bar]]:
        """The buckets that have trades, by opening second, newest first, the newest as far as `now`."""
        opens = int((min(last, now) - EPOCH).total_seconds()) // granularity * granularity
        oldest = int((first - EPOCH).total_seconds()) // granularity * granularity
        bars = []
        while opens >= oldest:
            start = EPOCH + timedelta(seconds=opens)
            end = min(start + timedelta(seconds=granularity), now)
            if start < end and (bar := self._market.bar(symbol, Span(start, end))):
                bars.append((opens, bar))
            opens -= granularity
        return bars


def message(status: int, text: str) -> Answer:
    """A refusal in Coinbase's form."""
    return Answer(encode({"message": text}), status)


def _json(document: object, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(encode(document), headers=headers or {})


def _window(query: Query, granularity: int, now: datetime) -> tuple[datetime, datetime]:
    """From `start` to `end`; unless both are given, the newest 300 buckets."""
    if "start" not in query or "end" not in query:
        return now - timedelta(seconds=granularity * (CANDLES_MAX - 1)), now
    first, last = _moment(query, "start"), _moment(query, "end")
    if first > last:
        raise Refusal("start must be before end")
    return first, last


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


def _whole_number(query: Query, name: str, otherwise: int) -> int:
    text = query.get(name)
    if text is None:
        return otherwise
    # Longer numbers are no ids, and Python refuses to read very long ones.
    if not text.isdecimal() or len(text) > 18:
        raise Refusal(f"Invalid {name}")
    return int(text)


def _moment(query: Query, name: str) -> datetime:
    """ISO 8601, or seconds since the epoch."""
    text = query[name]
    try:
        time = EPOCH + timedelta(seconds=int(text)) if text.isdecimal() else datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise Refusal(f"Invalid {name}") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)
