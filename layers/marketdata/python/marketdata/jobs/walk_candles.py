"""Read all candles of a span, month by month in bounded memory, and tell how complete they are.

Called by exports. The completeness is that of coverage, as of the last rollup: docs/data-semantics.md, "Condition".
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

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


@dataclass(frozen=True, slots=True)
class Completeness:
    """How much of the expected buckets is held whole or known to be empty, rounded down; None where none is expected.

    `gaps`: the first thousand of `gaps_total`, oldest first, with what the ledger says of each.
    """

    condition: str
    coverage: float | None
    gaps: tuple[Labelled, ...]
    gaps_total: int


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
    expected = held = 0
    missing: Spans = ()
    for month in by_month(judged):
        shut = buckets_inside(closed(instrument.calendar, month), timeframe)
        known = store.coverage(instrument, timeframe, month)
        wanted = subtract([month], shut)
        absent = subtract(wanted, [*known.covered, *buckets_inside(known.empty, timeframe)])
        expected += _buckets(wanted, timeframe)
        held += _buckets(wanted, timeframe) - _buckets(absent, timeframe)
        missing = union(missing, absent)
    gaps = label(missing, _named(store, instrument, judged), timeframe, granularity=timeframe)
    coverage = held * _COVERAGE_STEPS // expected / _COVERAGE_STEPS if expected else None
    return Completeness(MISSING if gaps else AVAILABLE, coverage, gaps[:GAPS_LISTED_MAX], len(gaps))


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
