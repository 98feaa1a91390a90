"""The candles that every design is held against: plain exact sums, sharing no code with the library."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Context, Decimal, Inexact

from benchmarks.tape import TapeTrade

# Wide enough for any sum here; a rounding would raise.
EXACT = Context(prec=200, traps=[Inexact])
MINUTE_NS = 60_000_000_000

Key = tuple[str, int]
"""Symbol, and the minute's opening in nanoseconds since the epoch."""


@dataclass(slots=True)
class PlainCandle:
    """One minute of one symbol; what a design does not compute is None."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal | None = None
    vwap: Decimal | None = None
    trades: int | None = None
    taker_buy_volume: Decimal | None = None
    first_id: int | None = None
    last_id: int | None = None


def reference_candles(trades: Iterable[TapeTrade]) -> dict[Key, PlainCandle]:
    """The exact candles of a tape whose trades are in order."""
    candles: dict[Key, PlainCandle] = {}
    for trade in trades:
        key = (trade.symbol, trade.time_ns - trade.time_ns % MINUTE_NS)
        price, size = Decimal(trade.price), Decimal(trade.size)
        bought = size if trade.maker_side == "sell" else Decimal(0)
        candle = candles.get(key)
        if candle is None:
            candles[key] = PlainCandle(
                price, price, price, price, size, EXACT.multiply(price, size), None, 1, bought, trade.id, trade.id
            )
        else:
            _add(candle, trade, price, size, bought)
    return candles


def _add(candle: PlainCandle, trade: TapeTrade, price: Decimal, size: Decimal, bought: Decimal) -> None:
    assert candle.quote_volume is not None
    assert candle.trades is not None
    assert candle.taker_buy_volume is not None
    candle.high, candle.low, candle.close = max(candle.high, price), min(candle.low, price), price
    candle.volume = EXACT.add(candle.volume, size)
    candle.quote_volume = EXACT.add(candle.quote_volume, EXACT.multiply(price, size))
    candle.taker_buy_volume = EXACT.add(candle.taker_buy_volume, bought)
    candle.trades += 1
    candle.last_id = trade.id


def count_differences(found: Mapping[Key, PlainCandle], reference: Mapping[Key, PlainCandle]) -> int:
    """How many candles are missing, unexpected, or differ from the reference in a field that the design computes."""
    missing = len(reference.keys() ^ found.keys())
    return missing + sum(_differs(found[key], reference[key]) for key in reference.keys() & found.keys())


def _differs(found: PlainCandle, reference: PlainCandle) -> bool:
    for field in fields(PlainCandle):
        value, expected = getattr(found, field.name), getattr(reference, field.name)
        if value is not None and field.name != "vwap" and value != expected:
            return True
    return found.vwap is not None and not _is_vwap(found.vwap, reference)


def _is_vwap(vwap: Decimal, reference: PlainCandle) -> bool:
    """A quotient has no last digit: 20 significant ones must agree."""
    assert reference.quote_volume is not None
    difference = EXACT.subtract(EXACT.multiply(vwap, reference.volume), reference.quote_volume)
    return abs(difference) <= reference.quote_volume.scaleb(-20)
