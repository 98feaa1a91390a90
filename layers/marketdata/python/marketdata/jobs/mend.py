"""Fetch exactly the trades that the stream did not bring, before their minutes close. Run by follow_live.

A hole is a run of trade ids between ids that were seen, ids that a heartbeat says exist beyond our newest, or the
beginning of the first minute after a fresh start. On a restart the last proven candle's last id counts as seen, so that
everything since is a hole: the exchange is the write-ahead log. A hole too long for this is left to the ledger.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from marketdata.compute.bars import Bars
from marketdata.errors import RemoteError, RemoteMalformed
from marketdata.exchanges.exchange import AnyTradeHistory, Request, TradePage, trade_steps
from marketdata.jobs.followed_exchange import FollowedExchange
from marketdata.model.candle import Candle, Source
from marketdata.model.timeframe import M1
from marketdata.model.times import utc
from marketdata.model.trade import Trade

logger = logging.getLogger(__name__)

MINUTE_PAGES_MAX = 50
"""Pages fetched for the minute of one late trade."""

Fetch = Callable[[Request], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class MendLimits:
    """How patient and how busy mending is."""

    look_seconds: float = 0.5
    settle_seconds: float = 1.0
    """A trade that is only late on the stream needs no request."""
    hole_ids_max: int = 50_000
    page_trades: int = 1_000
    retry_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Hole:
    """The ids from `first` to `last`, both included."""

    symbol: str
    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1

    @property
    def key(self) -> tuple[str, int]:
        """Its beginning: a hole that grows with every heartbeat is still the same hole."""
        return self.symbol, self.first


class Mender:
    """Mends the holes of one followed exchange, one request at a time."""

    def __init__(
        self, followed: FollowedExchange, history: AnyTradeHistory, fetch: Fetch, limits: MendLimits | None = None
    ) -> None:
        self.mended = 0
        self.absent = 0
        self.too_long: dict[tuple[str, int], Hole] = {}
        """The holes that are left to the ledger, by what they begin with."""
        self._followed = followed
        self._history = history
        self._fetch = fetch
        self._limits = limits or MendLimits()
        self._noticed: dict[tuple[str, int], float] = {}
        self._unconfirmed: set[Hole] = set()
        self._cut: set[tuple[str, int]] = set()

    async def run(self) -> None:
        """Look and mend until cancelled."""
        while True:
            try:
                for hole in self._settled():
                    await self._mend(hole)
                for symbol in list(self._followed.bars):
                    await self._complete_first_minute(symbol)
            except RemoteError as error:
                logger.warning("mending waits", extra={"exchange": self._followed.name, "reason": error.reason})
                await asyncio.sleep(self._limits.retry_seconds)
            await asyncio.sleep(self._limits.look_seconds)

    async def newest(self, symbol: str) -> Trade | None:
        """The newest trade of a symbol, in one small request; None if it never traded. Raises: RemoteError."""
        trades = await self._page(symbol, None, 1)
        return trades[-1] if trades else None

    async def proven_minute(self, trade: Trade) -> Candle | None:
        """The minute of a trade, made of the exchange's trades from before it to after it; None if they are no proof.

        Raises: RemoteError.
        """
        start_ns = M1.floor_ns(trade.time_ns)
        bars = Bars(self._followed.name, trade.symbol, ids_contiguous=True)
        before = await self._end_of(trade, start_ns + M1.duration_ns)
        for _ in range(MINUTE_PAGES_MAX):
            trades = await self._page(trade.symbol, before, self._limits.page_trades)
            for one in trades:
                bars.add(one)
            if not trades or trades[0].time_ns < start_ns:
                break
            before = trades[0].id
        made = {change.candle.open_time: change.candle for change in bars.take()}
        candle = made.get(utc(start_ns))
        return candle if candle is not None and candle.source is Source.PROVEN else None

    async def _end_of(self, trade: Trade, end_ns: int) -> int:
        """An id up to which there is a trade at or after `end_ns`, looked for upwards from a trade."""
        before = trade.id + 2
        for _ in range(MINUTE_PAGES_MAX):
            trades = await self._page(trade.symbol, before, self._limits.page_trades)
            if not trades or trades[-1].time_ns >= end_ns or trades[-1].last_id < before - 1:
                break
            before += self._limits.page_trades
        return before

    def _settled(self) -> list[Hole]:
        """The holes that did not close by themselves in a moment, newest first."""
        now = asyncio.get_running_loop().time()
        holes = self.holes()
        begun = {hole.key: hole for hole in holes}
        self._noticed = {key: self._noticed.get(key, now) for key in begun}
        self._cut.intersection_update(begun)
        due = [hole for key, hole in begun.items() if now - self._noticed[key] >= self._limits.settle_seconds]
        self.too_long = {hole.key: hole for hole in due if len(hole) > self._limits.hole_ids_max}
        left = self.too_long.keys() | self._cut
        return sorted((hole for hole in due if hole.key not in left), key=lambda hole: -hole.last)

    def holes(self) -> list[Hole]:
        """Every run of ids that is known to exist and was not seen."""
        return [Hole(symbol, *ends) for symbol in self._followed.bars for ends in self._followed.holes(symbol)]

    async def _mend(self, hole: Hole) -> None:
        """Fetch a hole from its newest id down; what the exchange says it never had, asked twice, is absent.

        REST may know less than the stream: it is believed only once it knows the trade that shows the hole to be one,
        the trade after it or, at the end, its last.
        """
        bars = self._followed.bars[hole.symbol]
        witness = hole.last + bars.seen.covers(hole.last + 1, hole.last + 1)
        before, newest, cut = witness + 1, -1, 0
        while before > hole.first:
            trades = await self._page(hole.symbol, before, self._limits.page_trades)
            if not trades or trades[-1].id >= before:
                break
            newest = max(newest, trades[-1].last_id)
            inside = [trade for trade in trades if trade.last_id >= hole.first and trade.id <= hole.last]
            cut += self._deliver(bars, inside)
            before = trades[0].id
        if newest < witness:
            self._wait(hole)
        elif before <= hole.first:
            (self._leave_cut if cut else self._confirm_absence)(bars, hole)

    def _wait(self, hole: Hole) -> None:
        """Let a hole be for a while."""
        again = asyncio.get_running_loop().time() + self._limits.retry_seconds
        self._noticed[hole.symbol, hole.first] = again - self._limits.settle_seconds

    def _leave_cut(self, bars: Bars, hole: Hole) -> None:
        """Of an aggregate that was seen in part the rest cannot be told: its minute is left to the gap scan."""
        rest = bars.seen.missing(hole.first, hole.last)
        self._cut.update((hole.symbol, first) for first, _ in rest)
        logger.warning(
            "a hole inside an aggregate is left to the gap scan",
            extra={"exchange": self._followed.name, "symbol": hole.symbol, "holes": len(rest)},
        )

    async def _page(self, symbol: str, before: int | None, limit: int) -> tuple[Trade, ...]:
        """The newest trades that begin below `before`, or of all; none if there are none."""
        steps = trade_steps(self._history, symbol, before, limit)
        try:
            request = next(steps)
            while True:
                request = steps.send(await self._fetch(request))
        except StopIteration as end:
            page: TradePage = end.value
        return page.trades

    def _deliver(self, bars: Bars, trades: list[Trade]) -> int:
        """Take what is new; returns how many were passed over because a part of them was seen before."""
        bars.fold()
        cut = 0
        for trade in trades:
            if not bars.seen.touches(trade.id, trade.last_id):
                self._followed.take_trade(bars, trade)
                bars.counts.mended += trade.count
                self.mended += trade.count
            elif not bars.seen.covers(trade.id, trade.last_id):
                cut += 1
        bars.fold()
        return cut

    def _confirm_absence(self, bars: Bars, hole: Hole) -> None:
        """The pages reached below the hole, so the ids in it that are still unseen were not in them."""
        for first, last in bars.seen.missing(hole.first, hole.last):
            rest = Hole(hole.symbol, first, last)
            if rest in self._unconfirmed:
                self._unconfirmed.discard(rest)
                bars.note_absent(first, last)
                self.absent += len(rest)
                logger.warning(
                    "the exchange has no trades with these ids",
                    extra={"exchange": self._followed.name, "symbol": rest.symbol, "first": first, "last": last},
                )
            else:
                self._unconfirmed.add(rest)

    async def _complete_first_minute(self, symbol: str) -> None:
        """After a fresh start, fetch the beginning of the first minute, and see the trade before it."""
        bars = self._followed.bars[symbol]
        for _ in range(1 + self._limits.hole_ids_max // self._limits.page_trades):
            beginning = bars.beginning
            if beginning is None:
                return
            first_id, start_ns = beginning
            page = await self._page(symbol, first_id, self._limits.page_trades) if first_id > 0 else ()
            trades = [trade for trade in page if trade.id < first_id]
            if not trades and first_id > 1:
                raise RemoteMalformed(self._followed.name, f"trades: none below id {first_id}", "")
            if not trades:
                # There is no trade before the first: it is as if it had been seen.
                bars.account_for(first_id - 1, first_id - 1)
                return
            self._deliver(bars, [trade for trade in trades if trade.time_ns >= start_ns])
            earlier = [trade.last_id for trade in trades if trade.time_ns < start_ns]
            if earlier:
                bars.account_for(max(earlier), max(earlier))
                return
