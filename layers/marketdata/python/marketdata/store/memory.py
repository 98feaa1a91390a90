"""A store that lives as long as its process: simulations, replays and tests run on it.

It means what the database means, down to what changes only when the queue is drained; tests/contract/test_store.py
holds the two equal.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from threading import RLock

from marketdata.clock import Clock
from marketdata.compute.coverage import Spans, clip, subtract, union
from marketdata.errors import NotFound, StoreError
from marketdata.model.candle import Candle
from marketdata.model.gap import Gap, GapState
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, Timeframe, timeframe_named
from marketdata.model.times import nanoseconds, utc
from marketdata.model.trade import Trade
from marketdata.store.candle_page import candle_page, page_window
from marketdata.store.gap_ledger import GapLedger
from marketdata.store.history import History
from marketdata.store.limits import (
    ROWS_MAX,
    candle_refused,
    check_counted,
    check_limit,
    claim_refused,
    feed_refused,
    instrument_refused,
    record_refused,
    resolution_refused,
    trade_refused,
)
from marketdata.store.sorted_map import SortedMap
from marketdata.store.store import CandlePage, Coverage, DayCounts, FeedStatus

_DAY = timeframe_named("1d")

Key = tuple[str, str]
"""(exchange, symbol)."""


class MemoryStore:
    """The Store protocol in memory; safe to share between threads.

    `clock` tells when an instrument became known; without one, all of them always were.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._lock = RLock()
        self._clock = clock
        self._known_since: dict[Key, datetime] = {}
        self._ledger = GapLedger()
        self._instruments: dict[Key, Instrument] = {}
        self._histories: defaultdict[Key, History] = defaultdict(History)
        self._trades: defaultdict[Key, SortedMap[Trade]] = defaultdict(SortedMap)
        # Time that changed since the last drain, one entry per instrument and day, so that it cannot outgrow the data.
        self._queue: defaultdict[tuple[Key, datetime], set[Span]] = defaultdict(set)
        self._feeds: dict[tuple[str, str], FeedStatus] = {}

    def instruments(self, *, active_only: bool = False) -> list[Instrument]:
        """See Store."""
        with self._lock:
            known = [self._instruments[key] for key in sorted(self._instruments)]
        return [instrument for instrument in known if instrument.active or not active_only]

    def put_instruments(self, instruments: Sequence[Instrument]) -> None:
        """See Store. Raises: also StoreError for one that cannot be followed; then nothing was written."""
        _refuse("put_instruments", map(instrument_refused, instruments))
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
            _refuse("put_candles", map(candle_refused, candles))
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

    def read_candles(
        self,
        instrument: Instrument,
        timeframe: Timeframe,
        *,
        start: datetime | None,
        end: datetime | None,
        limit: int,
        settled: datetime,
        newest_first: bool = False,
    ) -> CandlePage:
        """See Store. Raises: NotFound; RequestInvalid for a limit out of bounds."""
        with self._lock:
            found = self.candles(instrument, timeframe, start=start, end=end, limit=limit, newest_first=newest_first)
            cut = len(found) == limit
            window = page_window(
                timeframe, found, start=start, end=end, settled=settled, cut=cut, newest_first=newest_first
            )
            if window is None:
                return CandlePage(found)
            known = self._histories[instrument.key].coverage(M1, window)
            return candle_page(timeframe, found, window, known, partial(self._ledger.named, instrument.key))

    def put_trades(self, exchange: str, trades: Sequence[Trade]) -> None:
        """See Store. Times are kept to the microsecond, as the database keeps them."""
        with self._lock:
            self._require((exchange, trade.symbol) for trade in trades)
            _refuse("put_trades", map(trade_refused, trades))
            for trade in trades:
                kept, key = self._trades[exchange, trade.symbol], (utc(trade.time_ns), trade.id)
                if key not in kept:
                    kept.put(key, _to_the_microsecond(trade))

    def trades(self, instrument: Instrument, span: Span, *, limit: int) -> list[Trade]:
        """See Store. Raises: NotFound; RequestInvalid for a limit out of bounds."""
        check_limit(limit)
        with self._lock:
            self._require([instrument.key])
            # A key of a time alone sorts before every (time, id).
            return list(self._trades[instrument.key].between((span.start,), (span.end,), limit=limit))

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

    def roll_up(self, *, limit: int = 2000) -> int | None:
        """See Store; never None, because the lock is waited for."""
        with self._lock:
            taken = list(islice(self._queue, limit))
            changed: defaultdict[Key, list[Span]] = defaultdict(list)
            for entry in taken:
                changed[entry[0]].extend(self._queue.pop(entry))
            for key, spans in changed.items():
                self._histories[key].drain(union(spans), self._instruments[key].timeframes)
            return len(taken)

    def ensure_partitions(self, span: Span) -> None:
        """See Store; memory has room for any time."""

    def record_gaps(
        self, instrument: Instrument, timeframe: Timeframe, spans: Sequence[Span], *, cause: str, found_at: datetime
    ) -> int:
        """See Store. Raises: NotFound; StoreError without a cause."""
        _refuse("record_gaps", [record_refused(cause)])
        with self._lock:
            self._require([instrument.key])
            return self._ledger.record(instrument.key, timeframe, spans, cause, found_at)

    def gaps(
        self,
        *,
        states: Collection[GapState] | None = None,
        instrument: Instrument | None = None,
        limit: int,
        after_id: int | None = None,
    ) -> list[Gap]:
        """See Store. Raises: NotFound; RequestInvalid for a limit out of bounds."""
        check_limit(limit)
        with self._lock:
            self._require([instrument.key] if instrument else [])
            return self._ledger.select(states, instrument.key if instrument else None, limit, after_id)

    def claim_gaps(
        self, worker: str, *, now: datetime, lease_seconds: float, limit: int, exchange: str | None = None
    ) -> list[Gap]:
        """See Store. Raises: RequestInvalid for a limit out of bounds; StoreError without a worker or lease."""
        check_limit(limit)
        _refuse("claim_gaps", [claim_refused(worker, lease_seconds)])
        with self._lock:
            return self._ledger.claim(worker, now, timedelta(seconds=lease_seconds), limit, exchange)

    def resolve_gap(self, gap: Gap, *, state: GapState, now: datetime, reason: str = "") -> bool:
        """See Store. Raises: StoreError for a state that resolves nothing."""
        _refuse("resolve_gap", [resolution_refused(state)])
        with self._lock:
            return self._ledger.resolve(gap, state, now, reason)

    def release_gap(
        self, gap: Gap, *, now: datetime, retry_at: datetime, reason: str, remaining: Sequence[Span] | None = None
    ) -> bool:
        """See Store."""
        with self._lock:
            return self._ledger.release(gap, now, retry_at, reason, remaining)

    def find_gaps(
        self, *, now: datetime, history: timedelta, grace: timedelta, instrument: Instrument | None = None
    ) -> list[tuple[Instrument, Span]]:
        """See Store. Raises: NotFound."""
        start, end = M1.ceil(now - history), M1.floor(now - grace)
        with self._lock:
            self._require([instrument.key] if instrument else [])
            active = [
                one for one in self.instruments(active_only=True) if instrument is None or one.key == instrument.key
            ]
            found = [(one, span) for one in active for span in self._missing(one.key, start, end)]
        newest = sorted(found, key=lambda gap: gap[1].end, reverse=True)[:ROWS_MAX]
        return sorted(newest, key=lambda gap: (gap[0].key, gap[1]))

    def close_covered_gaps(self, *, now: datetime) -> int:
        """See Store."""
        with self._lock:
            return self._ledger.close_covered(now, self._known, ROWS_MAX)

    def mark_closed(self, instrument: Instrument, spans: Sequence[Span], *, now: datetime) -> int:
        """See Store. Raises: NotFound."""
        with self._lock:
            self.mark_empty(instrument, M1, spans)
            return self._ledger.mark_closed(instrument.key, spans, now)

    def put_feed_status(self, status: FeedStatus) -> None:
        """See Store. Raises: StoreError for a status that cannot be."""
        _refuse("put_feed_status", [feed_refused(status)])
        with self._lock:
            self._feeds[status.exchange, status.feed_id] = status

    def feed_statuses(self) -> list[FeedStatus]:
        """See Store."""
        with self._lock:
            by_name = [self._feeds[key] for key in sorted(self._feeds)]
        return sorted(by_name, key=lambda status: status.updated_at, reverse=True)

    def ping(self) -> None:
        """See Store; memory is always there."""

    def _missing(self, key: Key, start: datetime, end: datetime) -> Spans:
        """The minutes of [start, end) that are wanted and that nobody accounts for."""
        if start >= end:
            return ()
        since = M1.floor(self._known_since.get(key, start))
        followed = [Span(max(start, since), end)] if max(start, since) < end else []
        wanted = clip(union(followed, self._ledger.ever(key, M1)), Span(start, end))
        known = self._known(key, M1, Span(start, end))
        return subtract(wanted, (*known, *self._ledger.spoken_for(key, M1)))

    def _known(self, key: Key, timeframe: Timeframe, span: Span) -> Spans:
        """What is held or known to be empty inside `span`."""
        coverage = self._histories[key].coverage(timeframe, span)
        return union(coverage.covered, coverage.empty)

    def _require(self, keys: Iterable[Key]) -> None:
        for exchange, symbol in keys:
            if (exchange, symbol) not in self._instruments:
                raise NotFound("symbol", f"{symbol} of {exchange} is not followed here")

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


def _refuse(operation: str, reasons: Iterable[str | None]) -> None:
    """Raises: StoreError with the first reason there is."""
    reason = next((reason for reason in reasons if reason), None)
    if reason:
        raise StoreError(operation, reason)
