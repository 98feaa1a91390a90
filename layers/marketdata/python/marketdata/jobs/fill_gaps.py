"""The mover: leases gaps of the ledger, newest first, and asks the exchanges for what is missing. Runs every minute.

Ordered history is worked on in pieces, so that what is lost meanwhile does not wait for a year of it. A short gap is
filled by trades, where ids prove that nothing is missing; whole days of a long one by the exchange's archive of trades,
where it has one; the rest, and what trades do not settle, by its own candles. What was written or confirmed is done,
and nothing else: the rest goes back on the ledger with a time to try again. A worker that dies loses its lease and
nothing more.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from marketdata.clock import Clock, Pause
from marketdata.compute.calendar import closed
from marketdata.compute.coverage import Spans, intersect, subtract
from marketdata.jobs.exchange_past import ExchangePast
from marketdata.jobs.fill_result import FillResult
from marketdata.jobs.fill_settings import FillSettings
from marketdata.jobs.gap_attempt import Ending, GapAttempt
from marketdata.jobs.gap_settlement import GapSettlement
from marketdata.jobs.gap_writer import GapWriter
from marketdata.model.gap import HISTORY, Gap
from marketdata.model.instrument import Instrument
from marketdata.store.store import Store


def fill_gaps(
    store: Store,
    pasts: Mapping[str, ExchangePast],
    clock: Clock,
    *,
    worker: str,
    deadline: datetime,
    settings: FillSettings | None = None,
    random_source: Random | None = None,
    on_gap: Callable[[FillResult], object] | None = None,
    pause: Pause = time.sleep,
) -> FillResult:
    """Fill gaps of the exchanges in `pasts` until none is due or `deadline` has come; `on_gap` hears after each.

    With `settings.poll_seconds` the run goes on until `deadline` and looks for new gaps in between; a `pause`
    that says true is the last.

    Raises: StoreError; what was leased then is free again when the lease has run out.
    """
    mover = _Mover(
        store,
        pasts,
        clock,
        worker=worker,
        deadline=deadline,
        settings=settings or FillSettings(),
        random_source=random_source or Random(),
    )
    mover.fill_what_is_due(on_gap)
    poll = mover.settings.poll_seconds
    while poll and clock.now() + timedelta(seconds=poll) < deadline:
        if pause(poll):
            break
        mover.fill_what_is_due(on_gap)
    return mover.result


class _Mover:
    def __init__(
        self,
        store: Store,
        pasts: Mapping[str, ExchangePast],
        clock: Clock,
        *,
        worker: str,
        deadline: datetime,
        settings: FillSettings,
        random_source: Random,
    ) -> None:
        self.result = FillResult()
        self._store = store
        self._pasts = pasts
        self._clock = clock
        self._worker = worker
        self._deadline = deadline
        self.settings = settings
        self._settlement = GapSettlement(store, clock, settings, self.result, random_source)
        self._instruments = {instrument.key: instrument for instrument in store.instruments()}
        self._resting: dict[str, datetime] = {}

    def fill_what_is_due(self, on_gap: Callable[[FillResult], object] | None) -> None:
        """Go on until nothing is due of the exchanges that may be asked, or the time is over."""
        due = [name for name in self._pasts if self._resting.get(name, self._clock.now()) <= self._clock.now()]
        while due and self._go_on():
            # In turns, so that an exchange with a year to fetch does not keep the others waiting.
            exchange = due.pop(0)
            if self.fill_one(exchange):
                due.append(exchange)
            if on_gap is not None:
                on_gap(self.result)

    def fill_one(self, exchange: str) -> bool:
        """Try one gap of that exchange; False when none is due, or the exchange is to be left alone."""
        now = self._clock.now()
        claimed = self._store.claim_gaps(
            self._worker, now=now, lease_seconds=self.settings.lease_seconds, limit=1, exchange=exchange
        )
        if not claimed:
            return False
        (gap,) = claimed
        self.result.claimed += 1
        instrument = self._instrument(gap)
        if sessions := closed(instrument.calendar, gap.span):
            self._settlement.split(gap, instrument, sessions)
            return True
        writer = GapWriter(self._store, instrument, gap.span, keep_trades=self.settings.keep_trades)
        ending = self._try(gap, writer)
        self.result.candles += writer.candles
        self.result.minutes_empty += writer.minutes_empty
        if ending.stopped:
            self._leave_alone(exchange, ending)
        return not ending.stopped

    def _try(self, gap: Gap, writer: GapWriter) -> Ending:
        """Ask for what is missing of it, and say on the ledger what became of it."""
        writer.learn()
        missing = writer.remaining
        past = self._pasts[gap.exchange]
        attempt = GapAttempt(self._store, writer, past, self._clock, self.settings, self._go_on)
        untouched: Spans = attempt.for_later() if gap.cause == HISTORY else ()
        ending = attempt.make(subtract(missing, untouched))
        if ending.stopped == "away":
            ending = replace(ending, retry_at=self._settlement.after(1, self.settings.away_seconds_max))
        writer.flush()
        untouched = intersect(writer.remaining, untouched)
        gained = missing != (gap.span,) or writer.remaining != missing
        self._settlement.settle(gap, writer, ending, untouched=untouched, gained=gained)
        return ending

    def _leave_alone(self, exchange: str, ending: Ending) -> None:
        self._resting[exchange] = ending.retry_at or self._deadline
        names = getattr(self.result, ending.stopped)
        if exchange not in names:
            names.append(exchange)

    def _instrument(self, gap: Gap) -> Instrument:
        key = (gap.exchange, gap.symbol)
        if key not in self._instruments:
            # Added since this run began: a gap's instrument is always known.
            self._instruments = {instrument.key: instrument for instrument in self._store.instruments()}
        return self._instruments[key]

    def _go_on(self) -> bool:
        return self._clock.now() < self._deadline
