"""How far an answer can be trusted: what of the time it speaks of is held, empty, held in part, or missing.

Pure: the answer's own candles say what is held, the store's coverage says what is known to be empty.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from marketdata.compute.coverage import Spans, subtract, union
from marketdata.model.candle import Candle
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe

GAPS_MAX = 100

# A bucket is judged this long after it closed: proof of its last trade, and of a minute without trades, takes a
# heartbeat or the next trade, and coarser candles wait for the next rollup, one a minute.
SETTLING = timedelta(minutes=2)

AVAILABLE = "available"
DEGRADED = "degraded"
MISSING = "missing"

_COVERAGE_STEPS = 1_000_000


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of `buckets` closed buckets that are neither held nor known to be empty."""

    span: Span
    buckets: int


@dataclass(frozen=True, slots=True)
class Condition:
    """What is known of `span`, the closed and settled buckets that an answer speaks of; None where there is none.

    `name`: missing if there is a gap, else degraded if a bucket is held in part, else available. `coverage`: the share
    of buckets that are held whole or known to be empty, rounded down to six places so that 1 means all; None without a
    span. `gaps`: the first hundred of `gaps_total`, oldest first.
    """

    name: str
    coverage: float | None
    span: Span | None
    gaps: tuple[Gap, ...]
    gaps_total: int


def judged_span(start: datetime, end: datetime, timeframe: Timeframe, as_of: datetime) -> Span | None:
    """The buckets that open in `[start, end)` and were closed and settled at `as_of`."""
    settled = as_of - SETTLING
    if start >= min(end, settled):
        return None
    first = timeframe.ceil(start)
    last = min(timeframe.ceil(min(end, settled)), timeframe.floor(settled))
    return Span(first, last) if first < last else None


def unheld(judged: Span, timeframe: Timeframe, candles: Sequence[Candle]) -> Spans:
    """The time of `judged` in which none of `candles` lies: for the store to say whether it is empty."""
    inside = [candle for candle in candles if candle.open_time in judged]
    if len(inside) == _buckets(judged, timeframe):
        return ()
    return subtract([judged], (Span(candle.open_time, candle.close_time) for candle in inside))


def judge(judged: Span, timeframe: Timeframe, candles: Sequence[Candle], missing: Spans) -> Condition:
    """The condition of `judged`, of which `candles` are all that is held and `missing` is not known to be empty."""
    gaps = [Gap(span, _buckets(span, timeframe)) for span in _whole_buckets(missing, timeframe)]
    parts = sum(not candle.complete and candle.open_time in judged for candle in candles)
    expected = _buckets(judged, timeframe)
    known = expected - parts - sum(gap.buckets for gap in gaps)
    name = MISSING if gaps else DEGRADED if parts else AVAILABLE
    coverage = known * _COVERAGE_STEPS // expected / _COVERAGE_STEPS
    return Condition(name, coverage, judged, tuple(gaps[:GAPS_MAX]), len(gaps))


def unjudged(anything_held: bool) -> Condition:
    """The condition of an answer that speaks of no settled bucket: missing only if nothing at all is held."""
    return Condition(AVAILABLE if anything_held else MISSING, None, None, (), 0)


def _whole_buckets(spans: Spans, timeframe: Timeframe) -> Spans:
    """A bucket that is empty in part and otherwise unknown is unknown."""
    return union(Span(timeframe.floor(span.start), timeframe.ceil(span.end)) for span in spans)


def _buckets(span: Span, timeframe: Timeframe) -> int:
    return (span.end - span.start) // timeframe.duration
