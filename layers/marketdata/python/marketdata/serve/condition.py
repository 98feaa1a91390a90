"""How far an answer can be trusted: what of the time it speaks of is held, quiet, held in part, or missing, and why.

Pure: the answer's own candles say what is held, the store's page what is known to be empty and what the ledger says,
the instrument's calendar when its market was closed. The words are those of docs/data-semantics.md, "Condition".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from marketdata.compute.calendar import closed
from marketdata.compute.coverage import Spans, buckets_inside, clip, intersect, subtract, union
from marketdata.model.candle import Candle
from marketdata.model.gap import GapState, NamedSpan
from marketdata.model.instrument import Calendar
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, Timeframe
from marketdata.serve.labelled import MISSING, Labelled, label

LISTED_MAX = 100

# A bucket is judged this long after it closed: proof of its last trade, and of a minute without trades, takes a
# heartbeat or the next trade, and coarser candles wait for the next rollup, one a minute.
SETTLING = timedelta(minutes=2)

AVAILABLE = "available"
DEGRADED = "degraded"

_COVERAGE_STEPS = 1_000_000


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of the time that candles do not hold, by the minute; the fields of its CandlePage."""

    empty: Spans = ()
    lacking: Spans = ()
    lacking_total: int = 0
    named: Sequence[NamedSpan] = ()
    named_cut: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """What is known of `span`, the closed and settled buckets that an answer speaks of; None where there is none.

    `name`: missing if there is a gap, else degraded if a bucket is held in part, else available. `coverage`: the share
    of buckets, but for those in which the market was closed, that are held whole or known to be empty, rounded down to
    six places so that 1 means all; None where nothing was expected.

    `gaps`: buckets without a candle, by what the ledger says of them. `partial`: the minutes missing inside candles
    held in part. `quiet`: buckets without a candle in which nobody traded, or the market was closed. Each lists the
    first hundred of its total, oldest first; `truncated` if there is more to say.
    """

    name: str
    coverage: float | None
    span: Span | None
    gaps: tuple[Labelled, ...] = ()
    gaps_total: int = 0
    partial: tuple[Labelled, ...] = ()
    partial_total: int = 0
    quiet: tuple[Labelled, ...] = ()
    quiet_total: int = 0
    truncated: bool = False


def judged_span(start: datetime, end: datetime, timeframe: Timeframe, as_of: datetime) -> Span | None:
    """The buckets that open in `[start, end)` and were closed and settled at `as_of`."""
    settled = as_of - SETTLING
    if start >= min(end, settled):
        return None
    first = timeframe.ceil(start)
    last = min(timeframe.ceil(min(end, settled)), timeframe.floor(settled))
    return Span(first, last) if first < last else None


def judge(
    judged: Span,
    timeframe: Timeframe,
    candles: Sequence[Candle],
    known: Known | None = None,
    calendar: Calendar = Calendar.ALWAYS,
) -> Condition:
    """The condition of `judged`, of which `candles` are all that is held and `known` is what the store knows."""
    known = known or Known()
    inside = [candle for candle in candles if candle.open_time in judged]
    parts = sum(not candle.complete for candle in inside)
    expected = _buckets(judged, timeframe)
    if len(inside) == expected and not parts:
        return Condition(AVAILABLE, 1.0, judged)
    absent = subtract([judged], (Span(candle.open_time, candle.close_time) for candle in inside))
    shut = _shut(judged, known, calendar)
    missing = subtract(absent, buckets_inside(union(known.empty, shut), timeframe))
    closed_buckets = intersect(absent, buckets_inside(shut, timeframe))
    quiet = _quiet(subtract(absent, union(missing, closed_buckets)), closed_buckets, timeframe)
    gaps = label(missing, known.named, timeframe, granularity=timeframe)
    lacking = subtract(clip(known.lacking, judged), shut)
    partial = label(lacking, known.named, timeframe, granularity=M1)
    cut = known.named_cut or known.lacking_total > len(known.lacking)
    expected -= sum(_buckets(span, timeframe) for span in closed_buckets)
    held = expected - parts - sum(_buckets(span, timeframe) for span in missing)
    return Condition(
        name=MISSING if missing else DEGRADED if parts else AVAILABLE,
        coverage=held * _COVERAGE_STEPS // expected / _COVERAGE_STEPS if expected else None,
        span=judged,
        gaps=gaps[:LISTED_MAX],
        gaps_total=len(gaps),
        partial=partial[:LISTED_MAX],
        partial_total=max(len(partial), known.lacking_total) if cut else len(partial),
        quiet=quiet[:LISTED_MAX],
        quiet_total=len(quiet),
        truncated=cut or max(len(gaps), len(partial), len(quiet)) > LISTED_MAX,
    )


def unjudged(anything_held: bool) -> Condition:
    """The condition of an answer that speaks of no settled bucket: missing only if nothing at all is held."""
    return Condition(AVAILABLE if anything_held else MISSING, None, None)


def _shut(judged: Span, known: Known, calendar: Calendar) -> Spans:
    """When the market was closed, as the calendar and the ledger have it."""
    named = (one.span for one in known.named if one.state is GapState.MARKET_CLOSED)
    return clip(union(closed(calendar, judged), named), judged)


def _quiet(no_trades: Spans, shut: Spans, timeframe: Timeframe) -> tuple[Labelled, ...]:
    """Buckets without a candle of which none is missed, oldest first."""
    states = ((no_trades, GapState.NO_TRADES), (shut, GapState.MARKET_CLOSED))
    found = [Labelled(span, _buckets(span, timeframe), state.value) for spans, state in states for span in spans]
    return tuple(sorted(found, key=lambda one: one.span))


def _buckets(span: Span, timeframe: Timeframe) -> int:
    return (span.end - span.start) // timeframe.duration
