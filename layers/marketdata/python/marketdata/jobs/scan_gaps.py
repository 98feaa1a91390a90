"""Find what is missing and put it on the ledger; take off it what is held by now. Runs every five minutes.

A market's closed sessions are named on the ledger first, so that they are neither found nor asked for. The search ends
at the clock, not at the newest candle held: what is missing after that is missing too, until the exchange says that
nobody traded.
"""

import logging
import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import groupby

from marketdata.clock import Clock
from marketdata.compute.calendar import closed as closed_time
from marketdata.compute.calendar import trading
from marketdata.jobs.drain_queue import Pause, drain_queue
from marketdata.jobs.forget_old import Retention, forget_old
from marketdata.model.gap import UNRESOLVED
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.store import Store

logger = logging.getLogger(__name__)

CAUSE = "scan"
HISTORY = timedelta(days=365)
GRACE = timedelta(seconds=120)

# What the store gives, or changes, in one call: less means that there was no more.
GAPS_A_CALL = 10_000
UNRESOLVED_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class InstrumentScan:
    """What was found missing of one instrument: `spans` that hold `minutes`, by which `recorded` gaps came or grew."""

    exchange: str
    symbol: str
    spans: int
    minutes: int
    recorded: int


@dataclass(frozen=True, slots=True)
class ScanResult:
    """One scan. `instruments` are those of which something was found; `closed` gaps were filled or shrank.

    `market_closed`: closed sessions that came on the ledger, or lasted longer than at the scan before.
    `drained`: coverage was current. If it was not, nothing was looked for. `unresolved`: the gaps that are open or
    leased afterwards, counted up to a thousand.
    """

    drained: bool
    closed: int
    instruments: tuple[InstrumentScan, ...]
    unresolved: int
    market_closed: int = 0
    unresolved_seconds: int = 0
    """For how long the oldest of those that lie within the last day has been known."""

    def document(self) -> dict[str, object]:
        """As JSON shows it."""
        return {
            "drained": self.drained,
            "closed": self.closed,
            "market_closed": self.market_closed,
            "recorded": sum(one.recorded for one in self.instruments),
            "minutes": sum(one.minutes for one in self.instruments),
            "unresolved": self.unresolved,
            "unresolved_seconds": self.unresolved_seconds,
            "instruments": [asdict(one) for one in self.instruments],
        }


RECENT = timedelta(days=1)
"""A hole of older history is fetched at the exchange's pace, and may wait; one of the last day was ours to keep."""


def gap_scan(
    store: Store,
    clock: Clock,
    deadline: datetime,
    *,
    history: timedelta = HISTORY,
    grace: timedelta = GRACE,
    retention: Retention | None = None,
) -> dict[str, object]:
    """The scan as a job, which also forgets what ended long ago. Raises: StoreError."""
    result = scan_gaps(store, clock, deadline, history=history, grace=grace).document()
    forgotten = forget_old(store, clock.now(), history, retention or Retention())
    return {**result, "forgotten": asdict(forgotten)}


def scan_gaps(
    store: Store,
    clock: Clock,
    deadline: datetime,
    *,
    history: timedelta,
    grace: timedelta,
    pause: Pause = time.sleep,
) -> ScanResult:
    """Bring coverage up to date, close the gaps that it covers, and record what it lacks. Raises: StoreError.

    `history` is how far back candles are wanted, `grace` how old a minute must be before its absence is a gap. Half
    of the time until `deadline` may go into draining the queue. While that is not done, history that is held would
    look missing: then nothing is recorded, and the next scan looks again.
    """
    now = clock.now()
    drained = drain_queue(store, clock, now + (deadline - now) / 2, wait=True, pause=pause).empty
    market_closed = _name_closed_sessions(store, now, history, grace)
    closed = _close(store, clock, deadline)
    found = _record(store, clock, deadline, history, grace) if drained else ()
    if not drained:
        logger.warning("gap scan found the queue of changes too long", extra={"closed": closed})
    unresolved = store.gaps(states=UNRESOLVED, limit=UNRESOLVED_COUNTED)
    known = [now - gap.found_at for gap in unresolved if gap.span.end > now - RECENT]
    oldest = max(known, default=timedelta()) // timedelta(seconds=1)
    return ScanResult(drained, closed, found, len(unresolved), market_closed, max(oldest, 0))


def _name_closed_sessions(store: Store, now: datetime, history: timedelta, grace: timedelta) -> int:
    """Put the closed sessions of every active instrument on the ledger; how many came or grew."""
    start, end = M1.ceil(now - history), M1.floor(now - grace)
    if start >= end:
        return 0
    changed = 0
    for instrument in store.instruments(active_only=True):
        if sessions := closed_time(instrument.calendar, Span(start, end)):
            changed += store.mark_closed(instrument, sessions, now=now)
    return changed


def _close(store: Store, clock: Clock, deadline: datetime) -> int:
    total = changed = store.close_covered_gaps(now=clock.now())
    while changed == GAPS_A_CALL and clock.now() < deadline:
        changed = store.close_covered_gaps(now=clock.now())
        total += changed
    return total


def _record(
    store: Store, clock: Clock, deadline: datetime, history: timedelta, grace: timedelta
) -> tuple[InstrumentScan, ...]:
    """Record what is missing, newest first, until there is no more or `deadline` has come; at least one call."""
    spans: Counter[tuple[str, str]] = Counter()
    minutes: Counter[tuple[str, str]] = Counter()
    recorded: Counter[tuple[str, str]] = Counter()
    more = True
    while more:
        now = clock.now()
        found = store.find_gaps(now=now, history=history, grace=grace)
        for instrument, spans_found in _by_instrument(found):
            # Since its closed time was named, a closed session may have gone on.
            missing = [part for span in spans_found for part in trading(instrument.calendar, span)]
            if not missing:
                continue
            spans[instrument.key] += len(missing)
            minutes[instrument.key] += sum((span.end - span.start) // M1.duration for span in missing)
            recorded[instrument.key] += store.record_gaps(instrument, M1, missing, cause=CAUSE, found_at=now)
        more = len(found) == GAPS_A_CALL and clock.now() < deadline
    return tuple(InstrumentScan(*key, spans[key], minutes[key], recorded[key]) for key in sorted(spans))


def _by_instrument(found: list[tuple[Instrument, Span]]) -> list[tuple[Instrument, list[Span]]]:
    """The spans of each instrument; `found` comes ordered by it."""
    return [(one, [span for _, span in pairs]) for one, pairs in groupby(found, key=lambda pair: pair[0])]
