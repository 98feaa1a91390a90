"""Read all candles of a span, month by month in bounded memory, and tell how complete they are.

Called by exports and count_candles. The completeness is that of coverage, as of the last rollup:
docs/data-semantics.md, "Condition".
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from marketdata.compute.calendar import closed
from marketdata.compute.coverage import Spans, buckets_inside, subtract, union
from marketdata.compute.months import by_month
from marketdata.model.candle import Candle
from marketdata.model.gap import UNRESOLVED, GapState, NamedSpan
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe
from marketdata.serve.condition import AVAILABLE, judged_span
from marketdata.serve.labelled import MISSING, Labelled, label
from marketdata.store.limits import ROWS_MAX
from marketdata.store.store import Store

GAPS_LISTED_MAX = 1_000

_COVERAGE_STEPS = 1_000_000

# Coverage is asked for by so much: a whole number of buckets of every timeframe, so that none lies on an edge.
_ASKED_AT_ONCE = timedelta(weeks=52)


@dataclass(frozen=True, slots=True)
class Completeness:
    """How much of the expected buckets is held whole or known to be empty, rounded down; None where none is expected.

    `gaps`: the first thousand of `gaps_total`, oldest first, with what the ledger says of each. Of `expected` buckets
    of `span`, which is None where nothing has settled, `missing` are in them; those held in part are.
    """

    condition: str
    coverage: float | None
    gaps: tuple[Labelled, ...]
    gaps_total: int
    span: Span | None = None
    expected: int = 0
    missing: int = 0


def walk_months(
    store: Store, instrument: Instrument, timeframe: Timeframe, span: Span, *, read: Callable[[int], None]
) -> Iterator[list[Candle]]:
    """The candles that open in each month of `span`, oldest first; `read` hears how many came with each question.

    Raises: StoreError.
    """
    for month in by_month(span):
        found: list[Candle] = []
        start: datetime | None = month.start
        while start is not None and start < month.end:
            page = store.candles(instrument, timeframe, start=start, end=month.end, limit=ROWS_MAX)
            found += page
            read(len(page))
            start = page[-1].open_time + timeframe.duration if len(page) == ROWS_MAX else None
        if found:
            yield found


def completeness_of(
    store: Store, instrument: Instrument, timeframe: Timeframe, span: Span, as_of: datetime
) -> Completeness:
    """How complete the settled buckets of `span` are. Raises: StoreError."""
    judged = judged_span(span.start, span.end, timeframe, as_of)
    if judged is None:
        return Completeness(AVAILABLE, None, (), 0)
    expected = 0
    missing: Spans = ()
    for part in _parts(judged):
        shut = buckets_inside(closed(instrument.calendar, part), timeframe)
        known = store.coverage(instrument, timeframe, part)
        wanted = subtract([part], shut)
        expected += _buckets(wanted, timeframe)
        missing = union(missing, subtract(wanted, [*known.covered, *buckets_inside(known.empty, timeframe)]))
    gaps = label(missing, _named(store, instrument, judged), timeframe, granularity=timeframe) if missing else ()
    absent = _buckets(missing, timeframe)
    return Completeness(
        condition=MISSING if gaps else AVAILABLE,
        coverage=(expected - absent) * _COVERAGE_STEPS // expected / _COVERAGE_STEPS if expected else None,
        gaps=gaps[:GAPS_LISTED_MAX],
        gaps_total=len(gaps),
        span=judged,
        expected=expected,
        missing=absent,
    )


def _parts(judged: Span) -> Iterator[Span]:
    start = judged.start
    while start < judged.end:
        end = judged.end if judged.end - start <= _ASKED_AT_ONCE else start + _ASKED_AT_ONCE
        yield Span(start, end)
        start = end


def _named(store: Store, instrument: Instrument, span: Span) -> list[NamedSpan]:
    """What the ledger says of `span`."""
    states = (*UNRESOLVED, GapState.UNRECOVERABLE)
    found: list[NamedSpan] = []
    after_id = None
    while True:
        page = store.gaps(states=states, instrument=instrument, limit=ROWS_MAX, after_id=after_id)
        found += [
            NamedSpan(gap.span, gap.state, gap.reason)
            for gap in page
            if gap.span.start < span.end and span.start < gap.span.end
        ]
        if len(page) < ROWS_MAX:
            return found
        after_id = page[-1].id


def _buckets(spans: Spans, timeframe: Timeframe) -> int:
    return sum((span.end - span.start) // timeframe.duration for span in spans)
