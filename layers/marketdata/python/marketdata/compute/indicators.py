"""Indicators over candles: exact decimals, and none where candles are missing. Pure."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Context, Decimal

from marketdata.compute.coverage import Spans
from marketdata.model.candle import Candle

_EXACT = Context(prec=120)


def moving_averages(candles: Sequence[Candle], length: int, empty: Spans = ()) -> list[Decimal | None]:
    """Of each candle, oldest first, the mean of its close and those of the `length` - 1 buckets before it.

    A bucket that is known to be `empty` repeats the close before it; where one is missing there is no mean until
    `length` buckets have followed it. A mean that has no end is rounded to 120 digits, half even.
    """
    means: list[Decimal | None] = []
    closes: list[Decimal] = []
    expected: datetime | None = None
    for candle in candles:
        quiet = _quiet(candle, expected, empty)
        closes = [*closes, *closes[-1:] * min(quiet, length)] if quiet >= 0 else []
        closes = [*closes, candle.close][-length:]
        means.append(_EXACT.divide(_sum(closes), Decimal(length)) if len(closes) == length else None)
        expected = candle.close_time
    return means


def _quiet(candle: Candle, expected: datetime | None, empty: Spans) -> int:
    """How many buckets lie between the candle before and this one; below zero if one of them is missing."""
    if expected is None:
        return -1
    if expected == candle.open_time:
        return 0
    if any(span.start <= expected and candle.open_time <= span.end for span in empty):
        return (candle.open_time - expected) // candle.timeframe.duration
    return -1


def _sum(numbers: Sequence[Decimal]) -> Decimal:
    total = Decimal(0)
    for number in numbers:
        total = _EXACT.add(total, number)
    return total
