"""Holes too long to mend go on the gap ledger at once, and are let go when the ledger says what became of them.

Run by follow_live. What the mover then writes is better than what the feed has of those minutes in memory, so the feed
leaves them to the store; ids that nobody could bring do not stay a hole for ever, and prove nothing either.
"""

import asyncio
import logging
from dataclasses import dataclass

from marketdata.clock import Clock
from marketdata.compute.coverage import Spans, clip, union
from marketdata.jobs.followed_exchange import FollowedExchange
from marketdata.jobs.mend import Hole, Mender
from marketdata.model.candle import Candle
from marketdata.model.gap import UNRESOLVED
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.limits import ROWS_MAX
from marketdata.store.store import Store

logger = logging.getLogger(__name__)

CAUSE = "disconnect"
CANDLES_A_READ = 1_000


@dataclass(slots=True)
class _Recorded:
    """A hole that is on the ledger, as `span`. `open` is what of it was unresolved when last looked at."""

    hole: Hole
    span: Span
    open: Spans

    def covers(self, hole: Hole, span: Span) -> bool:
        """Whether this is a part of what was recorded."""
        same = hole.symbol == self.hole.symbol and self.hole.first <= hole.first and hole.last <= self.hole.last
        return same and self.span.start <= span.start and span.end <= self.span.end


class LongHoles:
    """The long holes of one followed exchange."""

    def __init__(self, store: Store, clock: Clock, followed: FollowedExchange, mender: Mender) -> None:
        self._store = store
        self._clock = clock
        self._followed = followed
        self._mender = mender
        self._recorded: list[_Recorded] = []

    async def record(self, instruments: dict[tuple[str, str], Instrument]) -> None:
        """Put on the ledger what is not there yet; a hole that grew is recorded again. Raises: StoreError."""
        for hole in list(self._mender.too_long.values()):
            span = self._followed.bars[hole.symbol].minutes_of_hole(hole.first, hole.last)
            if span is None or any(one.covers(hole, span) for one in self._recorded):
                continue
            instrument = instruments[self._followed.name, hole.symbol]
            await asyncio.to_thread(
                self._store.record_gaps, instrument, M1, [span], cause=CAUSE, found_at=self._clock.now()
            )
            self._recorded = [one for one in self._recorded if (one.hole.symbol, one.hole.first) != hole.key]
            self._recorded.append(_Recorded(hole, span, (span,)))
            facts = {"exchange": self._followed.name, "symbol": hole.symbol, "trades": len(hole)}
            logger.warning("a hole too long to mend is on the ledger", extra=facts)

    async def settle(self, instruments: dict[tuple[str, str], Instrument]) -> None:
        """Take over what was repaired; let go of what the ledger has resolved. Raises: StoreError."""
        for one in list(self._recorded):
            instrument = instruments[self._followed.name, one.hole.symbol]
            # The ledger first: what it calls resolved is in the store by then.
            still_open = await asyncio.to_thread(self._unresolved, instrument, one.span)
            if still_open == one.open:
                continue
            self._followed.repaired(instrument.symbol, await asyncio.to_thread(self._held, instrument, one.span))
            one.open = still_open
            if not still_open:
                self._let_go(one)

    def _let_go(self, one: _Recorded) -> None:
        bars = self._followed.bars[one.hole.symbol]
        for first, last in bars.seen.missing(one.hole.first, one.hole.last):
            bars.give_up(first, last)
        self._recorded.remove(one)

    def _unresolved(self, instrument: Instrument, span: Span) -> Spans:
        gaps = self._store.gaps(states=UNRESOLVED, instrument=instrument, limit=ROWS_MAX)
        return clip(union(gap.span for gap in gaps if gap.timeframe == M1), span)

    def _held(self, instrument: Instrument, span: Span) -> list[Candle]:
        held: list[Candle] = []
        start = span.start
        while start < span.end:
            page = self._store.candles(instrument, M1, start=start, end=span.end, limit=CANDLES_A_READ)
            held += page
            start = page[-1].close_time if len(page) == CANDLES_A_READ else span.end
        return held
