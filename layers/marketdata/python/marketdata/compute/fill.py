"""A regular grid out of candles with holes in between, for whoever asks for one. Pure; nothing of it is ever stored."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from marketdata.model.candle import Candle
from marketdata.model.timeframe import Timeframe

Slot = tuple[datetime, Candle | None, Decimal | None]
"""Of one bucket: when it opens, its candle, and where it has none the close before it, if there is one."""


def fill_buckets(
    candles: Sequence[Candle], timeframe: Timeframe, start: datetime, end: datetime, close_before: Decimal | None
) -> Iterator[Slot]:
    """Every bucket from `start` to `end`, both edges of buckets, and the candles after that, oldest first.

    `candles` are those from the start on, oldest first; `close_before` is the close of the one before them.
    """
    expected, close = start, close_before
    for candle in candles:
        yield from _holes(expected, min(candle.open_time, end), timeframe, close)
        yield candle.open_time, candle, None
        expected, close = candle.close_time, candle.close
    yield from _holes(expected, end, timeframe, close)


def _holes(start: datetime, end: datetime, timeframe: Timeframe, close: Decimal | None) -> Iterator[Slot]:
    while start < end:
        yield start, None, close
        start += timeframe.duration
