"""The gap ledger in the in-memory store, beside the market whose history it is about."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import partial

from marketdata.clock import Clock
from marketdata.compute.coverage import Spans, clip, subtract, union
from marketdata.model.gap import Gap, GapState
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, Timeframe
from marketdata.store.answers import CandlePage
from marketdata.store.candle_page import candle_page, page_window, with_version
from marketdata.store.gap_ledger import GapLedger
from marketdata.store.limits import ROWS_MAX, check_limit, lease_refused, record_refused, resolution_refused
from marketdata.store.memory_base import Key, refuse
from marketdata.store.memory_market import MemoryMarket
from marketdata.store.outbox import Outbox


class MemoryLedger(MemoryMarket):
    """The part of the Store protocol that is about gaps."""

    def __init__(self, clock: Clock | None) -> None:
        super().__init__(clock)
        self._outbox = Outbox()
        # As the database's trigger does it: whoever gives a gap up says so in the same breath.
        self._ledger = GapLedger(self._outbox.give_up)

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
            return with_version(
                self._page(
                    instrument, timeframe, start=start, end=end, limit=limit, settled=settled, newest_first=newest_first
                )
            )

    def candles_version(
        self,
        instrument: Instrument,
        timeframe: Timeframe,
        *,
        start: datetime | None,
        end: datetime | None,
        limit: int,
        settled: datetime,
        newest_first: bool = False,
    ) -> str:
        """See Store. Raises: NotFound; RequestInvalid for a limit out of bounds."""
        with self._lock:
            return with_version(
                self._page(
                    instrument, timeframe, start=start, end=end, limit=limit, settled=settled, newest_first=newest_first
                )
            ).version

    def _page(
        self,
        instrument: Instrument,
        timeframe: Timeframe,
        *,
        start: datetime | None,
        end: datetime | None,
        limit: int,
        settled: datetime,
        newest_first: bool,
    ) -> CandlePage:
        found = self.candles(instrument, timeframe, start=start, end=end, limit=limit, newest_first=newest_first)
        cut = len(found) == limit
        window = page_window(
            timeframe, found, start=start, end=end, settled=settled, cut=cut, newest_first=newest_first
        )
        if window is None:
            return CandlePage(found)
        known = self.coverage(instrument, M1, window)
        return candle_page(timeframe, found, window, known, partial(self._ledger.named, instrument.key))

    def record_gaps(
        self, instrument: Instrument, timeframe: Timeframe, spans: Sequence[Span], *, cause: str, found_at: datetime
    ) -> int:
        """See Store. Raises: NotFound; StoreError without a cause."""
        refuse("record_gaps", [record_refused(cause)])
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
        refuse("claim_gaps", [lease_refused(worker, lease_seconds)])
        with self._lock:
            return self._ledger.claim(worker, now, timedelta(seconds=lease_seconds), limit, exchange)

    def resolve_gap(self, gap: Gap, *, state: GapState, now: datetime, reason: str = "") -> bool:
        """See Store. Raises: StoreError for a state that resolves nothing."""
        refuse("resolve_gap", [resolution_refused(state)])
        with self._lock:
            return self._ledger.resolve(gap, state, now, reason)

    def release_gap(
        self,
        gap: Gap,
        *,
        now: datetime,
        retry_at: datetime,
        reason: str,
        remaining: Sequence[Span] | None = None,
        untouched: Sequence[Span] = (),
    ) -> bool:
        """See Store."""
        with self._lock:
            return self._ledger.release(
                gap, now, retry_at=retry_at, reason=reason, remaining=remaining, untouched=untouched
            )

    def find_gaps(
        self, *, now: datetime, history: timedelta, grace: timedelta, instrument: Instrument | None = None
    ) -> list[tuple[Instrument, Span]]:
        """See Store. Raises: NotFound."""
        start, end = M1.ceil(now - history), M1.floor(now - grace)
        with self._lock:
            self._require([instrument.key] if instrument else [])
            active = [
                one
                for one in self.instruments(active_only=True)
                if not one.pushed and (instrument is None or one.key == instrument.key)
            ]
            found = [(one, span) for one in active for span in self._missing(one.key, start, end)]
        return _newest(found)

    def find_history(self, *, now: datetime, history: timedelta) -> list[tuple[Instrument, Span]]:
        """See Store."""
        start = M1.ceil(now - history)
        with self._lock:
            active = [one for one in self.instruments(active_only=True) if not one.pushed]
            found = [(one, span) for one in active for span in self._unasked(one.key, start, now)]
        return _newest(found)

    def close_covered_gaps(self, *, now: datetime) -> int:
        """See Store."""
        with self._lock:
            return self._ledger.close_covered(now, self._known, ROWS_MAX)

    def mark_closed(self, instrument: Instrument, spans: Sequence[Span], *, now: datetime) -> int:
        """See Store. Raises: NotFound."""
        with self._lock:
            self.mark_empty(instrument, M1, spans)
            return self._ledger.mark_closed(instrument.key, spans, now)

    def _missing(self, key: Key, start: datetime, end: datetime) -> Spans:
        """The minutes of [start, end) that are wanted and that nobody accounts for."""
        if start >= end:
            return ()
        since = M1.floor(self._known_since.get(key, start))
        followed = [Span(max(start, since), end)] if max(start, since) < end else []
        wanted = clip(union(followed, self._ledger.ever(key, M1)), Span(start, end))
        known = self._known(key, M1, Span(start, end))
        return subtract(wanted, (*known, *self._ledger.spoken_for(key, M1)))

    def _unasked(self, key: Key, start: datetime, now: datetime) -> Spans:
        """The minutes from `start` until the instrument became known that nobody ever asked for."""
        end = M1.floor(min(self._known_since.get(key, start), now))
        if start >= end:
            return ()
        whole = Span(start, end)
        return subtract([whole], (*self._known(key, M1, whole), *self._ledger.ever(key, M1)))


def _newest(found: list[tuple[Instrument, Span]]) -> list[tuple[Instrument, Span]]:
    """As many as one answer holds, ordered by instrument and time."""
    newest = sorted(found, key=lambda gap: gap[1].end, reverse=True)[:ROWS_MAX]
    return sorted(newest, key=lambda gap: (gap[0].key, gap[1]))
