"""Read the closes of one instrument in bounded pages, as a series that says which of them are known.

Called by jobs/roi_stats.py.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from marketdata.compute.calendar import closed
from marketdata.compute.close_series import CloseSeries, close_series
from marketdata.compute.coverage import Spans, contains, union
from marketdata.model.candle import Candle
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, Timeframe
from marketdata.store.store import Store

CLOSES_A_READ = 1_000
"""A page that no server's cap on rows cuts."""

_LONGEST_CLOSURE = timedelta(days=4)


def read_closes(
    store: Store, instrument: Instrument, timeframe: Timeframe, span: Span, *, settled: datetime
) -> CloseSeries:
    """The closes of the buckets that end in `[span.start, span.end]`, and the one before closed time at its start.

    Raises: StoreError.
    """
    shut = closed(instrument.calendar, Span(span.start - _LONGEST_CLOSURE, span.end))
    whole = Span(_before_closure(timeframe, span.start, shut), span.end)
    opens = timeframe.ceil(whole.start) - timeframe.duration
    candles, empty = _read(store, instrument, timeframe, Span(opens, whole.end), settled)
    before = None
    if not (candles and candles[0].open_time == opens):
        before = _close_before(store, instrument, timeframe, opens)
    return close_series(timeframe, whole, candles, empty, before=before, shut=shut)


def _before_closure(timeframe: Timeframe, start: datetime, shut: Spans) -> datetime:
    """The edge before the closed time that `start` lies in, or `start`."""
    around = (part.start for part in shut if part.start < start <= part.end)
    return min((timeframe.floor(begun) for begun in around), default=start)


def _read(
    store: Store, instrument: Instrument, timeframe: Timeframe, span: Span, settled: datetime
) -> tuple[list[Candle], Spans]:
    candles: list[Candle] = []
    empty: Spans = ()
    start = span.start
    while start < span.end:
        page = store.read_candles(
            instrument, timeframe, start=start, end=span.end, limit=CLOSES_A_READ, settled=settled
        )
        candles += page.candles
        empty = union(empty, page.empty)
        if len(page.candles) < CLOSES_A_READ:
            break
        start = page.candles[-1].close_time
    return candles, empty


def _close_before(store: Store, instrument: Instrument, timeframe: Timeframe, opens: datetime) -> Decimal | None:
    """The close that a bucket without trades at `opens` repeats; None unless it is known that nobody traded since."""
    found = store.candles(instrument, timeframe, start=None, end=opens, limit=1, newest_first=True)
    if not found or not found[0].complete:
        return None
    if found[0].close_time == opens:
        return found[0].close
    since = Span(found[0].close_time, opens)
    # Closed time is marked as empty too.
    return found[0].close if contains(store.coverage(instrument, M1, since).empty, since) else None
