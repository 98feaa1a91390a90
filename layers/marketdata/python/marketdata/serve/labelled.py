"""Missing time, told by what the ledger says of it: somebody is at it, it waits, it was given up, or it is new."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from marketdata.compute.coverage import Spans, pieces, subtract
from marketdata.model.gap import UNRESOLVED, GapState, NamedSpan
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe

MISSING = "missing"
"""Not on the ledger yet: the next scan puts it there."""

# Of a bucket that is missing for several reasons the first is told: what may still come before what will not.
_LAYERS = (GapState.LEASED.value, GapState.OPEN.value, MISSING, GapState.UNRECOVERABLE.value)


class Labelled(Struct, frozen=True):
    """A stretch of time that touches `buckets` buckets of the timeframe asked for. `state`: a GapState, or missing."""

    span: Span
    buckets: int
    state: str
    reason: str = ""


def label(
    missing: Spans, named: Sequence[NamedSpan], timeframe: Timeframe, granularity: Timeframe
) -> tuple[Labelled, ...]:
    """All of `missing`, oldest first, cut at whole buckets of `granularity` by what `named` says of it."""
    told = [one for one in named if one.state in (*UNRESOLVED, GapState.UNRECOVERABLE)]
    unnamed = subtract(missing, (one.span for one in told))
    rows = [(one.span, one.state.value, one.reason) for one in told] + [(span, MISSING, "") for span in unnamed]
    found: list[Labelled] = []
    for layer in _LAYERS:
        taken = list(_taken(missing, [row for row in rows if row[1] == layer], timeframe, granularity))
        missing = subtract(missing, (one.span for one in taken))
        found += taken
    return tuple(sorted(found, key=lambda one: one.span))


def buckets_in(span: Span, timeframe: Timeframe) -> int:
    """How many buckets `span` touches."""
    return (timeframe.ceil(span.end) - timeframe.floor(span.start)) // timeframe.duration


def _taken(
    missing: Spans, rows: list[tuple[Span, str, str]], timeframe: Timeframe, granularity: Timeframe
) -> Iterator[Labelled]:
    """What of `missing` the rows name, each moment once."""
    if not missing:
        return
    done = missing[0].start
    for span, state, reason in sorted(rows):
        start, end = max(done, granularity.floor(span.start)), granularity.ceil(span.end)
        if start < end:
            for part in pieces(missing, Span(start, end)):
                yield Labelled(part, buckets_in(part, timeframe), state, reason)
            done = end
