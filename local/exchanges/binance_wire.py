"""How Binance writes things: numbers as text with eight decimals, times in milliseconds, candles as objects and rows.

Source: docs/add-an-exchange.md#binance.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
from marketdata.model.times import nanoseconds, utc
from marketdata.model.trade import Side, Trade

INTERVALS = {
    "1s": timedelta(seconds=1),
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "12h": timedelta(hours=12),
    "1d": timedelta(days=1),
    "1w": timedelta(weeks=1),
}
# 1970-01-01 was a Thursday, and weeks begin on Mondays.
_MONDAY = timedelta(days=4)


def encode(document: object) -> str:
    """Compact JSON."""
    return msgspec.json.encode(document).decode()


def text(number: Decimal) -> str:
    """`65000.01000000`."""
    return f"{number:.8f}"


def milliseconds(time: datetime) -> int:
    """Since the epoch."""
    return nanoseconds(time) // 1_000_000


def trade_event(trade: Trade, now: datetime) -> dict[str, object]:
    """An update of a `trade` stream. `m`: the buyer was the maker."""
    maker = trade.side is Side.SELL
    head = {"e": "trade", "E": milliseconds(now), "s": trade.symbol, "t": trade.id, "p": text(trade.price)}
    return {**head, "q": text(trade.size), "T": trade.time_ns // 1_000_000, "m": maker, "M": True}


def aggregate_event(trade: Trade, number: int, now: datetime) -> dict[str, object]:
    """An update of an `aggTrade` stream."""
    return {"e": "aggTrade", "E": milliseconds(now), "s": trade.symbol, **aggregate_row(trade, number)}


def aggregate_row(trade: Trade, number: int) -> dict[str, object]:
    """An aggregate over REST."""
    numbers = {"a": number, "p": text(trade.price), "q": text(trade.size), "f": trade.id, "l": trade.last_id}
    return {**numbers, "T": trade.time_ns // 1_000_000, "m": trade.side is Side.SELL, "M": True}


def trade_row(trade: Trade) -> dict[str, object]:
    """A single trade over REST."""
    sums = {"qty": text(trade.size), "quoteQty": text(trade.price * trade.size)}
    head: dict[str, object] = {"id": trade.id, "price": text(trade.price), **sums, "time": trade.time_ns // 1_000_000}
    return {**head, "isBuyerMaker": trade.side is Side.SELL, "isBestMatch": True}


def kline_event(
    symbol: str, interval: str, opens: datetime, trades: Sequence[Trade], *, now: datetime, closed: bool
) -> dict[str, object]:
    """An update of a `kline` stream; a bucket without trades has the ids -1."""
    first, last = (trades[0].id, trades[-1].id) if trades else (-1, -1)
    kline: dict[str, object] = {
        "f": first,
        "L": last,
        "t": milliseconds(opens),
        "T": milliseconds(opens + INTERVALS[interval]) - 1,
    }
    kline |= {"s": symbol, "i": interval, **_figures(trades), "n": len(trades), "x": closed, "B": "0"}
    return {"e": "kline", "E": milliseconds(now), "s": symbol, "k": kline}


def kline_row(opens: datetime, interval: str, trades: Sequence[Trade], close_before: Decimal) -> list[object]:
    """A candle over REST; without trades it is flat, at the close before."""
    f = (
        _figures(trades)
        if trades
        else dict.fromkeys("ohlc", text(close_before)) | dict.fromkeys("vqVQ", text(Decimal(0)))
    )
    closes = milliseconds(opens + INTERVALS[interval]) - 1
    prices = [f["o"], f["h"], f["l"], f["c"], f["v"]]
    return [milliseconds(opens), *prices, closes, f["q"], len(trades), f["V"], f["Q"], "0"]


def opening(time: datetime, interval: str) -> datetime:
    """The opening of the bucket that holds `time`."""
    step_ns = INTERVALS[interval] // timedelta(microseconds=1) * 1_000
    monday_ns = _MONDAY // timedelta(microseconds=1) * 1_000
    into_ns = (nanoseconds(time) - monday_ns) % step_ns
    return time - timedelta(microseconds=into_ns // 1_000)


def opening_of(trade: Trade, interval: str) -> datetime:
    """The opening of a trade's bucket."""
    return opening(utc(trade.time_ns), interval)


def _figures(trades: Sequence[Trade]) -> dict[str, str]:
    prices = [trade.price for trade in trades] or [Decimal(0)]
    buys = [trade for trade in trades if trade.side is Side.BUY]
    extremes = {"o": prices[0], "h": max(prices), "l": min(prices), "c": prices[-1]}
    sums = {"v": _volume(trades), "q": _value(trades), "V": _volume(buys), "Q": _value(buys)}
    return {name: _exact(number) for name, number in {**extremes, **sums}.items()}


def _volume(trades: Sequence[Trade]) -> Decimal:
    return sum((trade.size for trade in trades), Decimal(0))


def _value(trades: Sequence[Trade]) -> Decimal:
    return sum((trade.price * trade.size for trade in trades), Decimal(0))


def _exact(number: Decimal) -> str:
    """All digits: prices times sizes have more than eight decimals here, unlike at the real exchange's lot sizes."""
    return f"{number:f}"
