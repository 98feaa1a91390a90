"""The market in the in-memory store: candles, trades, and what is known of their time."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice

from marketdata.clock import Clock
from marketdata.compute.coverage import Spans, union
from marketdata.model.candle import Candle
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import TIMEFRAMES, Timeframe, timeframe_named
from marketdata.model.times import nanoseconds, utc
from marketdata.model.trade import Trade
from marketdata.store.answers import Changes, Coverage, CoverageAudit, DayCounts
from marketdata.store.history import History
from marketdata.store.limits import (
    LISTED_MAX,
    candle_refused,
    check_audited,
    check_counted,
    check_limit,
    instrument_refused,
    trade_refused,
)
from marketdata.store.memory_base import Key, MemoryBase, refuse
from marketdata.store.sorted_map import SortedMap

_DAY = timeframe_named("1d")
CHANGE_SPANS_MAX = 1_000
CHANGES_KEPT = 10_000


class MemoryMarket(MemoryBase):
    """The part of the Store protocol that is about instruments, candles, trades and their time."""

    def __init__(self, clock: Clock | None) -> None:
        super().__init__(clock)
        self._histories: defaultdict[Key, History] = defaultdict(History)
        self._trades: defaultdict[Key, SortedMap[Trade]] = defaultdict(SortedMap)
        # Time that changed since the last drain, one entry per instrument and day, so that it cannot outgrow the data.
        self._queue: defaultdict[tuple[Key, datetime], set[Span]] = defaultdict(set)
        self._changes: list[tuple[int, Key, Spans]] = []
        self._forgotten = 0

    def put_instruments(self, instruments: Sequence[Instrument]) -> None:
        """See Store. Raises: also StoreError for one that cannot be followed; then nothing was written."""
        refuse("put_instruments", map(instrument_refused, instruments))
        with self._lock:
            for instrument in instruments:
                old = self._instruments.get(instrument.key)
                self._instruments[instrument.key] = instrument
                if self._clock:
                    self._known_since.setdefault(instrument.key, self._clock.now())
                if old and old.timeframes != instrument.timeframes:
                    self._enqueue(instrument.key, self._histories[instrument.key].extent())

    def put_candles(self, candles: Sequence[Candle]) -> None:
        """See Store. Raises: also StoreError for a candle that cannot be; then nothing was written."""
        with self._lock:
            self._require((candle.exchange, candle.symbol) for candle in candles)
            refuse("put_candles", map(candle_refused, candles))
            for candle in candles:
                key = (candle.exchange, candle.symbol)
                self._enqueue(key, self._histories[key].report(candle))

    def candles(
        self,
        instrument: Instrument,
        timeframe: Timeframe,
        *,
        start: datetime | None,
        end: datetime | None,
        limit: int,
        newest_first: bool = False,
    ) -> list[Candle]:
        """See Store. Raises: NotFound; RequestInvalid for a limit out of bounds."""
        check_limit(limit)
        with self._lock:
            self._require([instrument.key])
            return self._histories[instrument.key].candles(timeframe, start, end, limit, newest_first)

    def put_trades(self, exchange: str, trades: Sequence[Trade]) -> None:
        """See Store. Times are kept to the microsecond, as the database keeps them."""
        with self._lock:
            self._require((exchange, trade.symbol) for trade in trades)
            refuse("put_trades", map(trade_refused, trades))
            for trade in trades:
                kept, key = self._trades[exchange, trade.symbol], (utc(trade.time_ns), trade.id)
                if key not in kept:
                    kept.put(key, _to_the_microsecond(trade))

    def trades(self, instrument: Instrument, span: Span, *, limit: int, newest_first: bool = False) -> list[Trade]:
        """See Store. Raises: NotFound; RequestInvalid for a limit out of bounds."""
        check_limit(limit)
        with self._lock:
            self._require([instrument.key])
            # A key of a time alone sorts before every (time, id).
            kept = self._trades[instrument.key]
            return list(kept.between((span.start,), (span.end,), limit=limit, newest_first=newest_first))

    def mark_empty(self, instrument: Instrument, timeframe: Timeframe, spans: Sequence[Span]) -> None:
        """See Store. A minute that has a candle, whatever its source, is not empty. Raises: NotFound."""
        with self._lock:
            self._require([instrument.key])
            self._enqueue(instrument.key, self._histories[instrument.key].mark_empty(timeframe, spans))

    def coverage(self, instrument: Instrument, timeframe: Timeframe, span: Span) -> Coverage:
        """See Store. Raises: NotFound."""
        with self._lock:
            self._require([instrument.key])
            return self._histories[instrument.key].coverage(timeframe, span)

    def count_candles(
        self, instrument: Instrument, timeframe: Timeframe, span: Span, *, closed: Sequence[Span] = ()
    ) -> list[DayCounts]:
        """See Store. Raises: NotFound; RequestInvalid for a span out of bounds."""
        check_counted(span)
        with self._lock:
            self._require([instrument.key])
            return self._histories[instrument.key].counts(timeframe, span, closed)

    def audit_coverage(self, instrument: Instrument, span: Span, *, repair: bool = True) -> CoverageAudit:
        """See Store. Raises: NotFound; RequestInvalid for a span out of bounds."""
        check_audited(span)
        with self._lock:
            self._require([instrument.key])
            queued = union(part for (key, _), parts in self._queue.items() if key == instrument.key for part in parts)
            history = self._histories[instrument.key]
            found = [fault for timeframe in TIMEFRAMES for fault in history.faults(timeframe, span, queued)]
            if repair:
                self._enqueue(instrument.key, union(fault.span for fault in found))
            return CoverageAudit(tuple(found[:LISTED_MAX]), len(found))

    def roll_up(self, *, limit: int = 2000) -> int | None:
        """See Store; never None, because the lock is waited for."""
        with self._lock:
            taken = list(islice(self._queue, limit))
            changed: defaultdict[Key, list[Span]] = defaultdict(list)
            for entry in taken:
                changed[entry[0]].extend(self._queue.pop(entry))
            for key, spans in changed.items():
                self._histories[key].drain(union(spans), self._instruments[key].timeframes)
                self._note_change(key, union(spans))
            return len(taken)

    def changes(self, *, after_id: int | None, limit: int) -> Changes:
        """See Store. Raises: RequestInvalid for a limit out of bounds."""
        check_limit(limit)
        with self._lock:
            if after_id is None:
                return Changes(self._forgotten + len(self._changes))
            told = self._changes[max(0, after_id - self._forgotten) :][:limit]
            times = tuple((self._instruments[key], span) for _, key, spans in told for span in spans)
            return Changes(told[-1][0] if told else after_id, times)

    def _note_change(self, key: Key, times: Spans) -> None:
        if times:
            hull = (Span(times[0].start, times[-1].end),)
            number = self._forgotten + len(self._changes) + 1
            self._changes.append((number, key, times if len(times) <= CHANGE_SPANS_MAX else hull))
            if len(self._changes) > 2 * CHANGES_KEPT:
                del self._changes[:CHANGES_KEPT]
                self._forgotten += CHANGES_KEPT

    def ensure_partitions(self, span: Span) -> None:
        """See Store; memory has room for any time."""

    def prune_history(self, *, now: datetime) -> int:
        """See Store; memory is told of no rule, and lasts no longer than its process."""
        return 0

    def _known(self, key: Key, timeframe: Timeframe, span: Span) -> Spans:
        """What is held or known to be empty inside `span`."""
        coverage = self._histories[key].coverage(timeframe, span)
        return union(coverage.covered, coverage.empty)

    def _enqueue(self, key: Key, changed: Spans) -> None:
        for part in _by_day(changed):
            self._queue[key, _DAY.floor(part.start)].add(part)


def _by_day(spans: Iterable[Span]) -> Iterable[Span]:
    """The same time, cut at UTC midnights."""
    for span in spans:
        start = span.start
        while start < span.end:
            end = min(span.end, _DAY.floor(start) + _DAY.duration)
            yield Span(start, end)
            start = end


def _to_the_microsecond(trade: Trade) -> Trade:
    time_ns = nanoseconds(utc(trade.time_ns))
    return Trade(trade.symbol, trade.id, time_ns, trade.price, trade.size, trade.side, trade.count)
