"""What the feed has made goes to the store, and closed candles from there to the hub. Run by follow_live, by timer.

What the store does not take waits: candles in the spool, trades to keep in a list, everything bounded. A closed candle
is announced only after the store took it.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence

from marketdata.compute.bars import Bars, Change
from marketdata.errors import StoreError
from marketdata.jobs.announce import Publish, announce_candle
from marketdata.jobs.followed_exchange import FollowedExchange
from marketdata.jobs.spool import Spool, Waiting
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.store import Store

logger = logging.getLogger(__name__)

Followed = Collection[FollowedExchange]


class FlushLive:
    """What waits for the store, of every exchange followed."""

    def __init__(
        self,
        store: Store,
        publish: Publish,
        *,
        candles_waiting_max: int,
        batch_max: int,
        on_saved: Callable[[Instrument, Change], None],
    ) -> None:
        self.failing = ""
        """What the store last failed with; empty while it answers."""
        self.candles_saved = 0
        """How many the store took, of this process."""
        self._store = store
        self._publish = publish
        self._batch_max = batch_max
        self._on_saved = on_saved
        self._spool = Spool(candles_waiting_max)
        self._empty: dict[tuple[str, str], tuple[Instrument, list[Span]]] = {}
        self._flushing = asyncio.Lock()

    @property
    def candles_waiting(self) -> int:
        """How many candles the store does not have yet."""
        return len(self._spool)

    def has_unsaved(self, followed: Followed) -> bool:
        """Whether anything at all waits."""
        unkept = any(one.trades for one in followed)
        return bool(len(self._spool)) or unkept or any(spans for _, spans in self._empty.values())

    def collect(self, instrument: Instrument, bars: Bars) -> None:
        """Take what changed since the last time, and what was found to be empty."""
        self.collect_changes(instrument, bars.take())
        empty = bars.take_empty()
        if empty:
            self._empty.setdefault(instrument.key, (instrument, []))[1].extend(empty)

    def collect_changes(self, instrument: Instrument, changes: Sequence[Change]) -> None:
        """Take candles that are not as they were; open ones are shown at once."""
        for change in changes:
            self._spool.put(instrument, change)
            if not change.closed:
                announce_candle(self._publish, instrument, change)

    def put(self, instrument: Instrument, change: Change) -> None:
        """Let a change wait for the store that did not come from the bars in memory."""
        self._spool.put(instrument, change)

    async def flush(self, followed: Followed) -> None:
        """Write what waits; what the store does not take waits on. Raises: StoreError.

        A restart fetches nothing of the minutes whose candles are proven. So whatever a candle was made with is written
        before it, except where the store takes candles but no trades.
        """
        async with self._flushing:
            batch = self._spool.take(self._batch_max)
            try:
                await self._flush_grounds(followed)
            except StoreError:
                await self._flush_candles(batch)
                raise
            except BaseException:
                self._spool.failed(batch)
                raise
            await self._flush_candles(batch)
        self.note_store("")

    def note_store(self, failing: str) -> None:
        """Say once that the store fails, and once that it answers again."""
        if failing and not self.failing:
            logger.error("store does not answer; candles wait", extra={"reason": failing, "waiting": len(self._spool)})
        if not failing and self.failing:
            logger.info("store answers again", extra={"waiting": len(self._spool)})
        self.failing = failing

    async def _flush_grounds(self, followed: Followed) -> None:
        """Trades, and the exchange's word on minutes without any."""
        for one in followed:
            await self._flush_trades(one)
        await self._flush_empty()

    async def _flush_candles(self, batch: list[Waiting]) -> None:
        if not batch:
            return
        try:
            await asyncio.to_thread(self._store.put_candles, [waiting.change.candle for waiting in batch])
        except BaseException:
            self._spool.failed(batch)
            raise
        self._spool.done(batch)
        self.candles_saved += len(batch)
        for waiting in batch:
            if waiting.change.closed:
                announce_candle(self._publish, waiting.instrument, waiting.change)
                self._on_saved(waiting.instrument, waiting.change)

    async def _flush_trades(self, followed: FollowedExchange) -> None:
        while batch := followed.take_trades(self._batch_max):
            await asyncio.to_thread(self._store.put_trades, followed.name, batch)
            followed.forget_trades(len(batch))

    async def _flush_empty(self) -> None:
        for instrument, spans in self._empty.values():
            count = len(spans)
            if count:
                await asyncio.to_thread(self._store.mark_empty, instrument, M1, spans[:count])
                del spans[:count]
