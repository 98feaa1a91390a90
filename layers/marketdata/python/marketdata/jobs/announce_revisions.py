"""Tell the hub of candles that changed in the store, and that this feed did not write: repairs, corrections, rollups.

Run by follow_live every few seconds. The drain of the queue lists in which time candles changed, whoever wrote them; it
has rolled up their parents by then. Minutes that the feed itself told of are left out. Parents are told of when they
are closed and a minute in them was repaired or revised.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from marketdata.compute.bars import Bars, Change
from marketdata.compute.coverage import Spans, buckets_touching, clip, subtract, union
from marketdata.jobs.announce import Publish, announce_candle
from marketdata.jobs.followed_exchange import FollowedExchange
from marketdata.model.candle import Candle
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, Timeframe
from marketdata.store.store import Store

CHANGES_A_LOOK = 1_000
CANDLES_TOLD_MAX = 500
"""Of one instrument and timeframe at one look, the newest: nobody follows the arrival of a year live."""
REVISED_MAX = 10_000


class AnnounceRevisions:
    """What changed since the last look, of the instruments that this feed follows."""

    def __init__(self, store: Store, publish: Publish) -> None:
        self._store = store
        self._publish = publish
        self._last_id: int | None = None
        self._revised: defaultdict[tuple[str, str], set[Span]] = defaultdict(set)

    def note_revised(self, instrument: Instrument, change: Change) -> None:
        """The feed told of this revision itself; the parents are to be told of when they are rolled up."""
        revised = self._revised[instrument.key]
        if change.revised and len(revised) < REVISED_MAX:
            revised.add(Span(change.candle.open_time, change.candle.close_time))

    async def look(self, followed: dict[str, FollowedExchange]) -> None:
        """Ask what changed, and tell. Raises: StoreError; then some may be told twice."""
        told = await asyncio.to_thread(self._store.changes, after_id=self._last_id, limit=CHANGES_A_LOOK)
        if self._last_id is not None:
            by_instrument: defaultdict[Instrument, list[Span]] = defaultdict(list)
            for instrument, span in told.times:
                by_instrument[instrument].append(span)
            for instrument, spans in by_instrument.items():
                if instrument.exchange in followed:
                    await self._tell(followed[instrument.exchange], instrument, union(spans))
        self._last_id = told.last_id

    async def _tell(self, followed: FollowedExchange, instrument: Instrument, changed: Spans) -> None:
        bars = followed.bars.get(instrument.symbol)
        foreign = subtract(changed, bars.told()) if bars is not None else changed
        for candle in await self._read(instrument, M1, foreign, bars):
            announce_candle(self._publish, instrument, Change(candle, closed=True, revised=True))
            followed.repaired(instrument.symbol, [candle])
        revised = self._revised[instrument.key]
        own = {span for span in revised if clip(changed, span)}
        revised -= own
        for timeframe in instrument.timeframes[1:]:
            parents = buckets_touching(union([*foreign, *own]), timeframe)
            for candle in await self._read(instrument, timeframe, parents, bars):
                announce_candle(self._publish, instrument, Change(candle, closed=True, revised=True))

    async def _read(
        self, instrument: Instrument, timeframe: Timeframe, spans: Iterable[Span], bars: Bars | None
    ) -> list[Candle]:
        """The closed candles in the spans that the bars do not have like this, oldest first; at most the newest few."""
        found: list[Candle] = []
        for span in reversed([*spans]):
            left = CANDLES_TOLD_MAX - len(found)
            if left > 0:
                found += await asyncio.to_thread(self._newest, instrument, timeframe, span, left)
        time = bars.time if bars is not None else None
        return [one for one in reversed(found) if _is_closed(one, time) and not _is_known(one, bars)]

    def _newest(self, instrument: Instrument, timeframe: Timeframe, span: Span, most: int) -> list[Candle]:
        return self._store.candles(instrument, timeframe, start=span.start, end=span.end, limit=most, newest_first=True)


def _is_closed(candle: Candle, time: datetime | None) -> bool:
    """Only a candle that has ended is complete; a partial one has if the exchange's time is past its end."""
    return candle.complete or (time is not None and candle.close_time <= time)


def _is_known(candle: Candle, bars: Bars | None) -> bool:
    """Whether the bars in memory say the same."""
    mine = bars.candle_at(candle.open_time) if bars is not None and candle.timeframe == M1 else None
    return mine is not None and replace(candle, revision=0, observed_at=mine.observed_at) == mine
