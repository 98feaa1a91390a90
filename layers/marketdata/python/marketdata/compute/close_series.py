"""Closes on consecutive buckets, as statistics see them: known, or missing.

A final candle gives its close, a bucket known to be empty repeats the one before, a bucket that is neither is missing.
Buckets of which all is closed time of the market are not there at all: a return spans the weekend as it spans a minute.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from marketdata.compute.coverage import Spans, buckets_inside, contains, union
from marketdata.model.candle import Candle
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket by its end. `close` None is missing; `candle` None with a close is a bucket without a trade."""

    end: datetime
    close: Decimal | None
    candle: Candle | None = None


@dataclass(frozen=True, slots=True)
class CloseSeries:
    """The buckets of one instrument and timeframe that end in `[span.start, span.end]`, oldest first.

    The first is the base: what the first return is a return on. `shut` is time in which the market was closed.
    """

    timeframe: Timeframe
    span: Span
    buckets: tuple[Bucket, ...]
    shut: Spans = ()

    def window(self, start: datetime, end: datetime) -> "CloseSeries":
        """The part whose buckets end in `[start, end]`; in closed time the base is the bucket before it."""
        first = max(0, bisect_right(self.buckets, start, key=_end) - 1)
        after = bisect_right(self.buckets, end, key=_end)
        return CloseSeries(self.timeframe, Span(start, end), self.buckets[first:after], self.shut)

    def close_at(self, time: datetime) -> Decimal | None:
        """The close of the bucket that ends at `time`, or of the last one before closed time; None if missing."""
        place = bisect_right(self.buckets, time, key=_end) - 1
        if place < 0:
            return None
        bucket = self.buckets[place]
        near = bucket.end == time or contains(self.shut, Span(bucket.end, time))
        return bucket.close if near else None

    @property
    def inside(self) -> tuple[Bucket, ...]:
        """The buckets but for the base."""
        return tuple(bucket for bucket in self.buckets if bucket.end > self.span.start)

    def chains(self) -> Iterator[list[Decimal]]:
        """Runs of known closes with nothing missing between them, oldest first."""
        chain: list[Decimal] = []
        for bucket in self.buckets:
            if bucket.close is not None:
                chain.append(bucket.close)
            elif chain:
                yield chain
                chain = []
        if chain:
            yield chain


def close_series(
    timeframe: Timeframe,
    span: Span,
    candles: Sequence[Candle],
    empty: Spans,
    *,
    before: Decimal | None = None,
    shut: Spans = (),
) -> CloseSeries:
    """The series of the buckets that end in `[span.start, span.end]`.

    `candles` and `empty` are what is known of them; `before` is the close that empty buckets at the beginning repeat,
    if it is known.
    """
    held = {candle.open_time: candle for candle in candles if candle.complete}
    quiet, closed = union(empty), buckets_inside(shut, timeframe)
    buckets: list[Bucket] = []
    last = before
    for opens in _openings(timeframe, span):
        bucket = Span(opens, opens + timeframe.duration)
        candle = held.get(opens)
        if candle is None and contains(closed, bucket):
            continue
        last = candle.close if candle else last if contains(quiet, bucket) else None
        buckets.append(Bucket(bucket.end, last, candle))
    return CloseSeries(timeframe, span, tuple(buckets), closed)


def _openings(timeframe: Timeframe, span: Span) -> Iterator[datetime]:
    opens = timeframe.ceil(span.start) - timeframe.duration
    while opens + timeframe.duration <= span.end:
        yield opens
        opens += timeframe.duration


def _end(bucket: Bucket) -> datetime:
    return bucket.end
