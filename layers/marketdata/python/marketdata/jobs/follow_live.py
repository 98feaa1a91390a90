"""The feed's work: frames to events to candles to store and hub. Run by feed/main; stops on request without loss.

Everything here goes by timer: reading is the stream's work, mending the mender's, writing flush_live's. Whatever waits
is bounded: trades wait in the bars until the next tick, and what the store has not taken in flush_live.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from marketdata.clock import Clock
from marketdata.errors import RequestInvalid, StoreError
from marketdata.jobs.announce import Publish, announce_status
from marketdata.jobs.announce_news import AnnounceNews
from marketdata.jobs.announce_revisions import AnnounceRevisions
from marketdata.jobs.correct_late import CorrectLate
from marketdata.jobs.feed_status import feed_status
from marketdata.jobs.flush_live import FlushLive
from marketdata.jobs.followed_exchange import FollowedExchange
from marketdata.jobs.followed_quotes import quotes_of
from marketdata.jobs.hand_over import HANDING_OVER, hand_over
from marketdata.jobs.long_holes import LongHoles
from marketdata.jobs.mend import Mender
from marketdata.jobs.watch_symbols import WatchLimits, WatchSymbols
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.symbol_shard import SymbolShard
from marketdata.model.timeframe import M1
from marketdata.net.streams import LiveStream
from marketdata.store.answers import FeedStatus
from marketdata.store.store import Store

logger = logging.getLogger(__name__)

RETRY_SECONDS_MAX = 2.0
ROOM_AHEAD = timedelta(days=4)
ROOM_BEHIND = timedelta(days=2)


OpenStream = Callable[[str], LiveStream]
"""Makes the stream of an exchange. Raises: RequestInvalid when no adapter has that name."""

OpenMender = Callable[[FollowedExchange], Mender | None]
"""Makes what fetches the trades that the stream lost; None where an exchange's trades cannot be asked for by id."""

CANDLES_LOOKED_BACK = 1_000
"""How many are looked at for what is proven, at a start; what is missing further back is the gap scan's work."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often what is done, in seconds, and how much may wait."""

    publish_seconds: float = 0.25
    flush_seconds: float = 1.0
    instruments_seconds: float = 10.0
    status_seconds: float = 5.0
    holes_seconds: float = 1.0
    repairs_seconds: float = 10.0
    late_seconds: float = 1.0
    revisions_seconds: float = 2.0
    news_seconds: float = 2.0
    watch_seconds: float = 1.0
    stop_seconds_max: float = 8.0
    candles_waiting_max: int = 50_000
    trades_waiting_max: int = 100_000
    batch_max: int = 5_000


class FollowLive:
    """Follow every active instrument of `exchanges` (of all, when None) and `shard` until `stop` is called."""

    def __init__(
        self,
        *,
        store: Store,
        open_stream: OpenStream,
        open_mender: OpenMender,
        publish: Publish,
        clock: Clock,
        feed_id: str,
        exchanges: frozenset[str] | None = None,
        shard: SymbolShard | None = None,
        keep_trades: bool = True,
        tell_alerts: bool = True,
        rhythm: Rhythm | None = None,
        watch_limits: WatchLimits | None = None,
    ) -> None:
        self.followed: dict[str, FollowedExchange] = {}
        self._store = store
        self._open_stream = open_stream
        self._open_mender = open_mender
        self._publish = publish
        self._clock = clock
        self._feed_id = feed_id
        self._exchanges = exchanges
        self._shard = shard or SymbolShard()
        self._looked = False
        self._keep_trades = keep_trades
        self._rhythm = rhythm or Rhythm()
        self._watch_limits = watch_limits
        self._started_at = clock.now()
        self._instruments: dict[tuple[str, str], Instrument] = {}
        self._unreadable: set[str] = set()
        self._resumed: set[tuple[str, str]] = set()
        self._streams: list[asyncio.Task[None]] = []
        self._long_holes: list[LongHoles] = []
        self._revisions = AnnounceRevisions(store, publish)
        self._news = AnnounceNews(store, publish, clock, self._is_ours_to_tell, alerts_too=tell_alerts)
        self._late: dict[str, CorrectLate] = {}
        self._flush = FlushLive(
            store,
            publish,
            candles_waiting_max=self._rhythm.candles_waiting_max,
            batch_max=self._rhythm.batch_max,
            on_saved=self._revisions.note_revised,
        )
        self._stopping = asyncio.Event()
        self._leaving = False
        self._room_until: datetime | None = None

    @property
    def idle(self) -> bool:
        """Whether the store was asked, and has nothing for this feed to follow."""
        return self._looked and not any(followed.symbols for followed in self.followed.values())

    @property
    def merging(self) -> bool:
        """Whether the store has merged a candle of this process."""
        return self._flush.candles_saved > 0

    def stop(self) -> None:
        """Read no more, flush, and let `run` return."""
        self._stopping.set()

    async def leave(self, seconds_max: float) -> None:
        """Go on until a successor does the work, for so long at the most, and stop; nobody's successor meanwhile."""
        self._leaving = True
        await hand_over(self._store, self.statuses, seconds_max=seconds_max)
        self.stop()

    async def run(self) -> None:
        """Follow until stopped; everything read before the stop is in the store when this returns.

        Raises: StoreError when the last flush did not succeed within `stop_seconds_max`.
        """
        rhythm = self._rhythm
        beats = [
            asyncio.create_task(self._every(rhythm.instruments_seconds, self._refresh)),
            asyncio.create_task(self._every(rhythm.publish_seconds, self._tick)),
            asyncio.create_task(self._every(rhythm.flush_seconds, self._save)),
            asyncio.create_task(self._every(rhythm.status_seconds, self._report)),
            asyncio.create_task(self._every(rhythm.holes_seconds, self._record_holes)),
            asyncio.create_task(self._every(rhythm.repairs_seconds, self._settle_holes)),
            asyncio.create_task(self._every(rhythm.late_seconds, self._correct_late)),
            asyncio.create_task(self._every(rhythm.revisions_seconds, self._tell_revisions)),
            asyncio.create_task(self._every(rhythm.news_seconds, self._news.look)),
        ]
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await self._watch([*beats, stopping])
        finally:
            await self._end([*beats, stopping, *self._streams])
        await self._finish()

    async def _watch(self, tasks: "list[asyncio.Task[None] | asyncio.Task[bool]]") -> None:
        """Return on a stop; a bug in any task ends the feed loudly, so that whoever runs it starts a new one."""
        while not self._stopping.is_set():
            watched = [*tasks, *self._streams]
            done, _ = await asyncio.wait(
                watched, timeout=self._rhythm.watch_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()

    async def _end(self, tasks: "list[asyncio.Task[None] | asyncio.Task[bool]]") -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _finish(self) -> None:
        try:
            async with asyncio.timeout(self._rhythm.stop_seconds_max):
                await self._tick()
                while self._flush.has_unsaved(self.followed.values()):
                    await self._flush_or_wait()
                await self._report()
        except TimeoutError as error:
            raise StoreError(
                "last flush", f"{self._flush.candles_waiting} candles did not reach the store in time"
            ) from error

    async def _flush_or_wait(self) -> None:
        try:
            await self._save()
        except StoreError as error:
            self._flush.note_store(str(error))
            await asyncio.sleep(0.2)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """By timer, not by the next message: a quiet market must not hold back what is already known."""
        while True:
            try:
                await work()
            except StoreError as error:
                self._flush.note_store(str(error))
                await asyncio.sleep(min(seconds, RETRY_SECONDS_MAX))
            else:
                await asyncio.sleep(seconds)

    async def _refresh(self) -> None:
        """Follow what the database says now; a new symbol is subscribed on the open connection."""
        await self._make_room()
        wanted: dict[str, list[str]] = {exchange: [] for exchange in self.followed}
        for instrument in await asyncio.to_thread(self._store.instruments, active_only=True):
            if self._is_ours(instrument):
                self._instruments[instrument.key] = instrument
                wanted.setdefault(instrument.exchange, []).append(instrument.symbol)
        for exchange, symbols in wanted.items():
            followed = self.followed.get(exchange) or self._start(exchange)
            if followed is not None:
                await self._follow(followed, symbols)
        self._looked = True

    def _is_ours(self, instrument: Instrument) -> bool:
        return not instrument.pushed and self._is_ours_to_tell(instrument.exchange, instrument.symbol)

    def _is_ours_to_tell(self, exchange: str | None, symbol: str | None) -> bool:
        """What is about no exchange, or no symbol, every feed tells that could be meant."""
        named = self._exchanges is None or exchange is None or exchange in self._exchanges
        return named and (symbol is None or self._shard.has(symbol))

    async def _follow(self, followed: FollowedExchange, symbols: list[str]) -> None:
        """Subscribe; a symbol that is new goes on beside its proven candles."""
        followed.know(symbols)
        for symbol in symbols:
            if symbol not in followed.bars and (symbol, followed.name) not in self._resumed:
                await asyncio.to_thread(self._resume, followed, self._instruments[followed.name, symbol])
                self._resumed.add((symbol, followed.name))
        followed.follow(symbols)

    def _resume(self, followed: FollowedExchange, instrument: Instrument) -> None:
        """Beside every proven minute, not after the newest: one that a kill left half mended may lie before it."""
        newest = self._store.candles(instrument, M1, start=None, end=None, limit=CANDLES_LOOKED_BACK, newest_first=True)
        followed.resume(instrument.symbol, newest)

    async def _make_room(self) -> None:
        """Partitions must exist before candles come."""
        now = self._clock.now()
        if self._room_until is None or now > self._room_until - ROOM_AHEAD / 2:
            span = Span(now - ROOM_BEHIND, now + ROOM_AHEAD)
            await asyncio.to_thread(self._store.ensure_partitions, span)
            self._room_until = span.end

    def _start(self, exchange: str) -> FollowedExchange | None:
        try:
            stream = self._open_stream(exchange)
        except RequestInvalid as error:
            if exchange not in self._unreadable:
                self._unreadable.add(exchange)
                logger.error("no adapter for an exchange", extra={"exchange": exchange, "reason": error.reason})  # noqa: TRY400
            return None
        quotes, most = quotes_of(exchange), self._rhythm.trades_waiting_max
        followed = FollowedExchange(stream, keep_trades=self._keep_trades, trades_max=most, quotes=quotes)
        self.followed[exchange] = followed
        self._streams.append(asyncio.create_task(stream.run(followed.handle)))
        mender = self._open_mender(followed)
        if mender is not None:
            self._streams.append(asyncio.create_task(mender.run()))
            self._long_holes.append(LongHoles(self._store, self._clock, followed, mender))
        self._late[exchange] = CorrectLate(self._store, self._clock, mender, self._flush.put)
        watch = WatchSymbols(followed, mender.newest if mender is not None else None, self._watch_limits)
        self._streams.append(asyncio.create_task(watch.run()))
        return followed

    async def _save(self) -> None:
        await self._flush.flush(self.followed.values())

    async def _tick(self) -> None:
        """Turn the trades that came since the last tick into candles; show the open ones."""
        for followed in self.followed.values():
            for symbol, bars in followed.bars.items():
                self._flush.collect(self._instruments[followed.name, symbol], bars)
                if late := bars.take_late():
                    self._late[followed.name].note(self._instruments[followed.name, symbol], late)
            for symbol, changes in followed.take_quoted():
                self._flush.collect_changes(self._instruments[followed.name, symbol], changes)
            followed.audit.check(followed.bars)

    async def _record_holes(self) -> None:
        for holes in self._long_holes:
            await holes.record(self._instruments)

    async def _settle_holes(self) -> None:
        for holes in self._long_holes:
            await holes.settle(self._instruments)

    async def _correct_late(self) -> None:
        for late in self._late.values():
            await late.look()

    async def _tell_revisions(self) -> None:
        await self._revisions.look(self.followed)

    def statuses(self) -> list[FeedStatus]:
        """What this feed says of each exchange that it follows."""
        now = self._clock.now()
        return [self._status(followed, now) for followed in self.followed.values()]

    def _status(self, followed: FollowedExchange, now: datetime) -> FeedStatus:
        status = feed_status(
            followed,
            feed_id=self._feed_id,
            started_at=self._started_at,
            now=now,
            spooled=self._flush.candles_waiting,
            spool_max=self._rhythm.candles_waiting_max,
            failing=self._flush.failing,
        )
        if self._leaving:
            status = replace(status, detail=f"{HANDING_OVER}; {status.detail}".removesuffix("; "))
        return replace(status, state="stopped") if self._stopping.is_set() else status

    async def _report(self) -> None:
        for status in self.statuses():
            announce_status(self._publish, status)
            await asyncio.to_thread(self._store.put_feed_status, status)
