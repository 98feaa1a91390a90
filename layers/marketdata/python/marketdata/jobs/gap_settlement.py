"""Tell the ledger what became of a leased gap, and no more: settled, given up, or back with a time to try again.

Used by fill_gaps. Counts in the run's result; a lease that was lost meanwhile changes nothing and counts as lost.
"""

import logging
import re
from datetime import datetime, timedelta
from random import Random

from marketdata.clock import Clock
from marketdata.compute.calendar import trading
from marketdata.compute.coverage import Spans, subtract
from marketdata.errors import EXCERPT_CHARACTERS_MAX
from marketdata.jobs.fill_result import FillResult
from marketdata.jobs.fill_settings import FillSettings
from marketdata.jobs.gap_attempt import Ending
from marketdata.jobs.gap_writer import GapWriter
from marketdata.model.gap import Gap, GapState
from marketdata.model.instrument import Instrument
from marketdata.store.store import Store

logger = logging.getLogger(__name__)

_BACKOFF_DOUBLINGS_MAX = 30
_FRUITLESS = re.compile(r"(\d{1,4}) fruitless: ")


class GapSettlement:
    """What one run tells the ledger of the gaps that it leased."""

    def __init__(
        self, store: Store, clock: Clock, settings: FillSettings, result: FillResult, random_source: Random
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._result = result
        self._random = random_source

    def settle(self, gap: Gap, writer: GapWriter, ending: Ending, *, untouched: Spans, gained: bool) -> None:
        """Of what `writer` filled. `untouched` was not tried; `gained`: something was had, so the tries count anew."""
        if not writer.remaining:
            self._resolve(gap, GapState.FILLED if writer.covered else GapState.NO_TRADES, "")
            return
        tried = subtract(writer.remaining, untouched)
        tries = 0 if gained else fruitless_tries(gap) + ending.answered
        if tries >= self._settings.tries_max and not untouched:
            self._resolve(gap, GapState.UNRECOVERABLE, ending.reason)
            return
        retry_at = ending.retry_at or self.after(tries, self._settings.backoff_seconds_max)
        reason = f"{tries} fruitless: {ending.reason}" if tries else ending.reason
        self._release(gap, retry_at, reason, tried, untouched)

    def split(self, gap: Gap, instrument: Instrument, sessions: Spans) -> None:
        """Leave only the time in which the market traded, to be leased session by session; no exchange is asked."""
        now = self._clock.now()
        self._store.mark_closed(instrument, sessions, now=now)
        open_time = trading(instrument.calendar, gap.span)
        if not open_time:
            self._count("market_closed")
        else:
            self._release(gap, now, gap.reason, open_time, ())

    def _release(self, gap: Gap, retry_at: datetime, reason: str, tried: Spans, untouched: Spans) -> None:
        kept = self._store.release_gap(
            gap, now=self._clock.now(), retry_at=retry_at, reason=_cut(reason), remaining=tried, untouched=untouched
        )
        if not tried:
            self._count("pieces" if kept else "lost")
            return
        self._count("released" if kept else "lost")
        logger.info("gap goes back on the ledger", extra=_facts(gap) | {"reason": reason})

    def _resolve(self, gap: Gap, state: GapState, reason: str) -> None:
        done = self._store.resolve_gap(gap, state=state, now=self._clock.now(), reason=_cut(reason))
        self._count(state.value if done else "lost")
        level = logging.WARNING if state is GapState.UNRECOVERABLE else logging.INFO
        logger.log(level, "gap settled", extra=_facts(gap) | {"state": state.value, "reason": reason})

    def _count(self, what: str) -> None:
        setattr(self._result, what, getattr(self._result, what) + 1)

    def after(self, tries: int, seconds_max: float) -> datetime:
        """Exponential back-off with full jitter: many gaps that failed together do not come back together."""
        doubled = self._settings.backoff_seconds_first * 2.0 ** min(max(0, tries - 1), _BACKOFF_DOUBLINGS_MAX)
        return self._clock.now() + timedelta(seconds=self._random.uniform(0, min(doubled, seconds_max)))


def fruitless_tries(gap: Gap) -> int:
    """How many answers in a row brought nothing; the reason says it, because leases also end for want of time."""
    said = _FRUITLESS.match(gap.reason)
    return int(said[1]) if said else 0


def _cut(reason: str) -> str:
    return reason[:EXCERPT_CHARACTERS_MAX]


def _facts(gap: Gap) -> dict[str, object]:
    start, end = gap.span.start.isoformat(), gap.span.end.isoformat()
    return {"exchange": gap.exchange, "symbol": gap.symbol, "start": start, "end": end, "attempts": gap.attempts}
