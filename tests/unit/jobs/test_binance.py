"""Binance followed, mended and backfilled by the production code, against the server that speaks its protocols here."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from marketdata.clock import FakeClock
from marketdata.compute.bars import Bars
from marketdata.exchanges.binance_aggregates import BinanceAggregateSearch
from marketdata.exchanges.binance_archive import BinanceArchive
from marketdata.exchanges.binance_rest import WEIGHT_HEADER, BinanceRest
from marketdata.exchanges.exchange import AnyTradeHistory, Request, Weights
from marketdata.exchanges.registry import live_trades
from marketdata.jobs.exchange_past import ArchivePast, ExchangePast
from marketdata.jobs.fill_gaps import fill_gaps
from marketdata.jobs.fill_result import FillResult
from marketdata.jobs.fill_settings import FillSettings
from marketdata.jobs.follow_live import FollowLive
from marketdata.jobs.followed_exchange import FollowedExchange
from marketdata.jobs.mend import Mender
from marketdata.model.candle import Candle, Source
from marketdata.model.gap import HISTORY, GapState
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.net.rest import PacedBudget, Rest
from marketdata.net.stream import Patience, Stream
from marketdata.store.memory import MemoryStore

from local.exchanges.binance import binance_simulator
from local.exchanges.binance_market import BinanceMarket
from local.exchanges.coinbase import Simulator
from local.exchanges.faults import Faults
from tests.unit.jobs.test_mend import HASTY, LIMITS
from tests.unit.local.exchanges.market import MINUTE, NOW, TAPE

DEADLINE_SECONDS = 30.0
LISTED = NOW.replace(second=0) - timedelta(hours=4)
MARKET = BinanceMarket(TAPE, LISTED)
NAME = "binance-simulated"
SOL = Instrument(NAME, "SOLUSDT", "SOL", "USDT", simulated=True)
THIN = replace(SOL, symbol="ETHBTC", base="ETH", quote="BTC")


def from_market(symbol: str, start: datetime, end: datetime) -> list[tuple[Any, ...]]:
    """The candles of a span, folded from the tape as Binance tells it."""
    bars = Bars(NAME, symbol, ids_contiguous=True)
    for trade in MARKET.trades(symbol, start, end):
        bars.add(trade)
    return [figures(change.candle) for change in bars.take()]


def figures(candle: Candle) -> tuple[Any, ...]:
    prices = (candle.open, candle.high, candle.low, candle.close)
    sums = (candle.volume, candle.quote_volume, candle.taker_buy_volume, candle.trades)
    return (candle.open_time, *prices, *sums, candle.first_id, candle.last_id)


class Rig:
    """Feeds that come and go between one exchange, whose clock runs fast while we wait, and one store."""

    def __init__(self, server: Simulator, clock: FakeClock, feed: str, history: AnyTradeHistory) -> None:
        self.server = server
        self.clock = clock
        self.feed_name = feed
        self.history = history
        self.store = MemoryStore()
        self.store.put_instruments([SOL])
        self.follow: FollowLive | None = None

    @contextlib.asynccontextmanager
    async def feed(self) -> AsyncIterator[FollowLive]:
        with contextlib.ExitStack() as clients:
            follow = self._follow(clients)
            running = asyncio.create_task(follow.run())
            try:
                yield follow
            finally:
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await running

    def _follow(self, clients: contextlib.ExitStack) -> FollowLive:
        def open_stream(exchange: str) -> Stream:
            patience = Patience(backoff_seconds_first=0.01, backoff_seconds_max=0.05, watch_seconds=0.05)
            adapter = live_trades(exchange, self.feed_name, self.server.url.replace("http", "ws", 1))
            return Stream(adapter, clock=self.clock, patience=patience, random_source=random.Random(1))

        def open_mender(followed: FollowedExchange) -> Mender:
            rest = Rest(
                followed.name, self.server.url, PacedBudget(5_000, 500, time.monotonic), self.clock, sleep=time.sleep
            )
            clients.callback(rest.close)

            async def fetch(request: Request) -> bytes:
                return await asyncio.to_thread(rest.get, request)

            return Mender(followed, self.history, fetch, LIMITS)

        return FollowLive(
            store=self.store,
            open_stream=open_stream,
            open_mender=open_mender,
            publish=lambda *_, **__: None,
            clock=self.clock,
            feed_id="test",
            rhythm=HASTY,
        )

    def minutes(self) -> list[Candle]:
        return self.store.candles(SOL, M1, start=None, end=None, limit=1_000)

    def minutes_until(self, end: datetime) -> list[Candle]:
        return [one for one in self.minutes() if one.close_time <= end]

    async def until(self, happened: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not happened():
                self.clock.advance(timedelta(seconds=0.5))
                await asyncio.sleep(0.005)

    async def passed(self, seconds: float) -> None:
        end = self.clock.now() + timedelta(seconds=seconds)
        await self.until(lambda: self.clock.now() >= end)

    async def heals(self) -> None:
        """Every minute so far becomes proven, and is what the market says."""
        end = M1.floor(self.clock.now())
        count = (end - M1.floor(NOW)) // MINUTE
        await self.until(
            lambda: len([one for one in self.minutes() if one.close_time <= end and _proven(one)]) == count
        )
        minutes = [figures(one) for one in self.minutes() if one.close_time <= end]
        assert minutes == from_market("SOLUSDT", M1.floor(NOW), end)


def _proven(candle: Candle) -> bool:
    return candle.source is Source.PROVEN


@contextlib.asynccontextmanager
async def rig(feed: str, faults: Faults, history: AnyTradeHistory, *, main: bool = False) -> AsyncIterator[Rig]:
    clock = FakeClock(NOW)
    application = binance_simulator(TAPE, clock, faults, listed_at=LISTED, main=main, poll_seconds=0.002)
    async with Simulator(application) as server:
        yield Rig(server, clock, feed, history)


WAYS = [
    ("trade", lambda: BinanceAggregateSearch(NAME, recent_singly=True), False),
    ("trade", lambda: BinanceRest(NAME), True),
    ("aggTrade", lambda: BinanceAggregateSearch(NAME), False),
]


@pytest.mark.slow
@pytest.mark.parametrize(("feed", "history", "main"), WAYS)
async def test_lost_trades_and_a_cut_connection_are_mended_to_the_last_figure(
    feed: str, history: Callable[[], AnyTradeHistory], main: bool
) -> None:
    faults = Faults(seed=5)
    faults.drop_matches(0.05)
    faults.duplicate_matches(0.05)
    async with rig(feed, faults, history(), main=main) as made, made.feed() as follow:
        await made.passed(90)
        faults.cut_connections()
        await made.passed(90)
        await made.heals()
        followed = follow.followed[NAME]
        await made.until(lambda: followed.audit.counts.agreeing >= 2)
        assert followed.audit.counts.differing == 0
        assert followed.bars["SOLUSDT"].contiguity.violations == 0


@pytest.mark.slow
async def test_a_kill_costs_nothing_that_the_exchange_can_give_back() -> None:
    async with rig("aggTrade", Faults(), BinanceAggregateSearch(NAME)) as made:
        async with made.feed():
            await made.passed(100)
        await made.passed(150)
        async with made.feed():
            await made.passed(30)
            await made.heals()


@pytest.mark.slow
async def test_an_announced_shutdown_is_survived_without_a_break() -> None:
    """The next connection speaks before the old one is closed: no disconnect, and nothing to mend."""
    faults = Faults()
    async with rig("trade", faults, BinanceAggregateSearch(NAME, recent_singly=True)) as made, made.feed() as follow:
        await made.passed(70)
        stream = follow.followed[NAME].stream
        mended = follow.followed[NAME].bars["SOLUSDT"].contiguity.mended
        faults.inject('{"e":"serverShutdown","E":1770123456789}')
        await made.until(lambda: stream.status.cuts == 1)
        await made.passed(60)
        await made.heals()
        assert follow.followed[NAME].bars["SOLUSDT"].contiguity.mended == mended
        assert stream.status.connects == 2


# Backfill -------------------------------------------------------------------------------------------------------------


def backfilled(made: Rig, instrument: Instrument, span: Span, *, by_trades: bool) -> FillResult:
    budget = PacedBudget(5_000, 500, time.monotonic)
    weights = Weights(WEIGHT_HEADER, 6_000)
    rest = Rest(NAME, made.server.url, budget, made.clock, sleep=time.sleep, weights=weights)
    made.store.put_instruments([instrument])
    made.store.record_gaps(instrument, M1, [span], cause="operator", found_at=made.clock.now())
    past = ExchangePast(rest.get, BinanceRest(NAME), made.history)
    settings = FillSettings(trade_span_max=timedelta(hours=6 if by_trades else 0))
    try:
        deadline = made.clock.now() + timedelta(seconds=50)
        return fill_gaps(made.store, {NAME: past}, made.clock, worker="test", deadline=deadline, settings=settings)
    finally:
        rest.close()


@pytest.mark.slow
@pytest.mark.parametrize(("feed", "history", "main"), WAYS[1:])
async def test_a_gap_is_filled_by_trades_and_proven(
    feed: str, history: Callable[[], AnyTradeHistory], main: bool
) -> None:
    span = Span(NOW.replace(second=0) - 60 * MINUTE, NOW.replace(second=0) - 20 * MINUTE)
    async with rig(feed, Faults(), history(), main=main) as made:
        for instrument in (SOL, THIN):
            result = await asyncio.to_thread(backfilled, made, instrument, span, by_trades=True)
            assert (result.filled, result.released) == (1, 0)
            candles = made.store.candles(instrument, M1, start=span.start, end=span.end, limit=100)
            assert [figures(one) for one in candles] == from_market(instrument.symbol, span.start, span.end)
            assert {one.source for one in candles} == {Source.PROVEN}


@pytest.mark.slow
async def test_a_long_gap_is_filled_by_the_exchanges_own_candles() -> None:
    span = Span(LISTED, LISTED + 180 * MINUTE)
    async with rig("trade", Faults(), BinanceAggregateSearch(NAME)) as made:
        result = await asyncio.to_thread(backfilled, made, SOL, span, by_trades=False)
        assert (result.filled, result.released) == (1, 0)
        candles = made.store.candles(SOL, M1, start=span.start, end=span.end, limit=1_000)
    assert [figures(one)[:9] for one in candles] == [row[:9] for row in from_market("SOLUSDT", span.start, span.end)]
    assert {one.source for one in candles} == {Source.VENUE}


async def test_before_the_listing_there_were_no_trades() -> None:
    span = Span(LISTED - 30 * MINUTE, LISTED + 5 * MINUTE)
    async with rig("trade", Faults(), BinanceAggregateSearch(NAME)) as made:
        result = await asyncio.to_thread(backfilled, made, SOL, span, by_trades=True)
        assert (result.filled, result.released, result.minutes_empty) == (1, 0, 30)
        candles = made.store.candles(SOL, M1, start=span.start, end=span.end, limit=100)
    assert [figures(one) for one in candles] == from_market("SOLUSDT", LISTED, span.end)


@pytest.mark.parametrize(
    ("status", "says"), [(451, "operator"), (403, "operator"), (418, "banned until"), (429, "slow down")]
)
async def test_a_gap_that_the_exchange_does_not_answer_stays_on_the_ledger_with_the_reason(
    status: int, says: str
) -> None:
    faults = Faults()
    faults.answer_rest(status, Retry_After="300")
    span = Span(NOW.replace(second=0) - 60 * MINUTE, NOW.replace(second=0) - 20 * MINUTE)
    async with rig("trade", faults, BinanceAggregateSearch(NAME)) as made:
        result = await asyncio.to_thread(backfilled, made, SOL, span, by_trades=True)
        (gap,) = made.store.gaps(states=[GapState.OPEN], limit=10)
    assert result.released == 1
    assert says in gap.reason


# The archive ----------------------------------------------------------------------------------------------------------

OPENED = datetime(2024, 12, 30, 12, tzinfo=UTC)
"""Two whole days follow: the last in milliseconds, and the first in microseconds."""
ARCHIVED = Span(OPENED, datetime(2025, 1, 2, 0, 30, tzinfo=UTC))


def filled_by_archive(url: str, clock: FakeClock, store: MemoryStore, asked: list[str]) -> FillResult:
    rest = Rest(NAME, url, PacedBudget(5_000, 500, time.monotonic), clock, sleep=time.sleep)

    def get(request: Request) -> bytes:
        asked.append(request.path)
        return rest.get(request)

    past = ExchangePast(
        get, BinanceRest(NAME), BinanceAggregateSearch(NAME), archive=ArchivePast(get, BinanceArchive(NAME))
    )
    store.put_instruments([THIN])
    store.record_gaps(THIN, M1, [ARCHIVED], cause=HISTORY, found_at=clock.now())
    try:
        deadline = clock.now() + timedelta(seconds=50)
        return fill_gaps(store, {NAME: past}, clock, worker="test", deadline=deadline)
    finally:
        rest.close()


@pytest.mark.slow
@pytest.mark.parametrize("spoilt", [(), ("ETHBTC-aggTrades-2025-01-01.zip",)])
async def test_whole_days_of_a_long_gap_come_from_the_archive_and_are_proven(spoilt: tuple[str, ...]) -> None:
    """A file that is not what its checksum says is left, and its day is filled by the other ways."""
    clock, asked, store = FakeClock(ARCHIVED.end + timedelta(hours=6)), list[str](), MemoryStore()
    market = BinanceMarket(TAPE, OPENED)
    async with Simulator(binance_simulator(TAPE, clock, listed_at=OPENED, spoilt=frozenset(spoilt))) as server:
        result = await asyncio.to_thread(filled_by_archive, server.url, clock, store, asked)
    assert (result.filled, result.released) == (1, 0)
    candles = store.candles(THIN, M1, start=ARCHIVED.start, end=ARCHIVED.end, limit=10_000)
    bars = Bars(NAME, "ETHBTC", ids_contiguous=True)
    for trade in market.trades("ETHBTC", ARCHIVED.start, ARCHIVED.end):
        bars.add(trade)
    assert [outline(one) for one in candles] == [outline(change.candle) for change in bars.take()]
    days = [path for path in asked if path.endswith(".zip")]
    assert [path[-14:-4] for path in days] == ["2025-01-01", "2024-12-31"]
    spoilt_piece = Span(datetime(2025, 1, 1, tzinfo=UTC), ARCHIVED.end)
    unproven = [one.open_time for one in candles if one.source is not Source.PROVEN]
    # Half a day before the first whole one is filled by candles, and so is the piece with a file that is spoilt.
    assert all(time < datetime(2024, 12, 31, tzinfo=UTC) or (spoilt and time in spoilt_piece) for time in unproven)


def outline(candle: Candle) -> tuple[Any, ...]:
    return figures(candle)[:9]
