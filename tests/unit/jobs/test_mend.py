"""Losing a connection, a process or single frames costs nothing that the exchange can give back."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from marketdata.clock import FakeClock
from marketdata.compute.pace import PatienceBounds
from marketdata.errors import StoreError
from marketdata.exchanges.coinbase import CoinbaseExchange
from marketdata.exchanges.coinbase_rest import CoinbaseRest
from marketdata.exchanges.exchange import Request
from marketdata.exchanges.registry import live_trades
from marketdata.jobs.exchange_past import ExchangePast
from marketdata.jobs.fill_gaps import fill_gaps
from marketdata.jobs.follow_live import FollowLive, Rhythm
from marketdata.jobs.followed_exchange import FollowedExchange
from marketdata.jobs.mend import Mender, MendLimits
from marketdata.jobs.watch_symbols import WatchLimits
from marketdata.model.candle import Candle, Source
from marketdata.model.events import Heartbeat
from marketdata.model.gap import UNRESOLVED, Gap, GapState
from marketdata.model.instrument import Instrument
from marketdata.model.timeframe import M1, Timeframe
from marketdata.model.trade import Trade
from marketdata.net.rest import PacedBudget, Rest
from marketdata.net.stream import Patience, Stream
from marketdata.store.memory import MemoryStore

from local.exchanges.coinbase import Simulator
from local.exchanges.faults import Faults
from tests.unit.jobs.test_follow_live import figures, from_tape
from tests.unit.local.exchanges.market import NOW, simulator

pytestmark = pytest.mark.slow

DEADLINE_SECONDS = 30.0
BTC = Instrument("coinbase-simulated", "BTC-USD", "BTC", "USD", simulated=True)
HASTY = Rhythm(
    publish_seconds=0.01,
    flush_seconds=0.02,
    instruments_seconds=0.05,
    status_seconds=0.5,
    stop_seconds_max=2.0,
    holes_seconds=0.02,
    repairs_seconds=0.05,
)
WATCH = WatchLimits(
    look_seconds=0.02,
    word_seconds_max=0.1,
    settle_seconds=0.2,
    patience=PatienceBounds(least=0.1, unknown=0.1, most=1.0),
)
LIMITS = MendLimits(look_seconds=0.02, settle_seconds=0.05, retry_seconds=0.05)


class SleepyStore(MemoryStore):
    """A store that does not answer the next `silent_for` questions for candles."""

    silent_for = 0

    def candles(
        self,
        instrument: Instrument,
        timeframe: Timeframe,
        *,
        start: datetime | None,
        end: datetime | None,
        limit: int,
        newest_first: bool = False,
    ) -> list[Candle]:
        if self.silent_for:
            self.silent_for -= 1
            raise StoreError("candles", "no answer")
        return super().candles(instrument, timeframe, start=start, end=end, limit=limit, newest_first=newest_first)


class Rig:
    """Feeds that come and go between one exchange, whose clock runs fast while we wait, and one store."""

    def __init__(self, exchange: Simulator, clock: FakeClock) -> None:
        self.exchange = exchange
        self.clock = clock
        self.limits = LIMITS
        self.store = SleepyStore()
        self.store.put_instruments([BTC, replace(BTC, symbol="ETH-USD", base="ETH")])

    @contextlib.asynccontextmanager
    async def feed(self) -> AsyncIterator[FollowLive]:
        """One feed process's life; it ends without a flush, as kill -9 ends it."""
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
            adapter = live_trades(exchange, "exchange", self.exchange.exchange_url)
            return Stream(adapter, clock=self.clock, patience=patience, random_source=random.Random(1))

        def open_mender(followed: FollowedExchange) -> Mender:
            budget = PacedBudget(200, 20, time.monotonic)
            rest = Rest(followed.name, self.exchange.url, budget, self.clock, sleep=time.sleep)
            clients.callback(rest.close)

            async def fetch(request: Request) -> bytes:
                return await asyncio.to_thread(rest.get, request)

            return Mender(followed, CoinbaseRest(followed.name), fetch, self.limits)

        return FollowLive(
            store=self.store,
            open_stream=open_stream,
            open_mender=open_mender,
            publish=lambda *_, **__: None,
            clock=self.clock,
            feed_id="test",
            rhythm=HASTY,
            watch_limits=WATCH,
        )

    def minutes(self) -> list[Candle]:
        return self.store.candles(BTC, M1, start=None, end=None, limit=1_000)

    def unbroken_until(self, time: datetime) -> bool:
        """Whether every minute from the first to `time` is proven."""
        minutes = [candle for candle in self.minutes() if candle.close_time <= time]
        expected = (M1.floor(time) - M1.floor(NOW)) // timedelta(minutes=1)
        return len(minutes) == expected and all(candle.source is Source.PROVEN for candle in minutes)

    def gaps(self, *states: GapState) -> list[Gap]:
        return self.store.gaps(states=states, instrument=BTC, limit=100)

    async def repaired(self) -> None:
        """The mover does its work, as it does every minute, until nothing is open."""
        adapter = CoinbaseRest(BTC.exchange)
        budget = PacedBudget(200, 20, time.monotonic)
        rest = Rest(BTC.exchange, self.exchange.url, budget, self.clock, sleep=time.sleep)
        with contextlib.closing(rest):
            past = ExchangePast(rest.get, trades=adapter, candles=adapter)
            async with asyncio.timeout(DEADLINE_SECONDS):
                while self.gaps(*UNRESOLVED):
                    deadline = self.clock.now() + timedelta(minutes=1)
                    await asyncio.to_thread(
                        fill_gaps, self.store, {BTC.exchange: past}, self.clock, worker="test", deadline=deadline
                    )
                    self.clock.advance(timedelta(seconds=5))

    def assert_true_to_the_tape(self) -> None:
        proven = [candle for candle in self.minutes() if candle.source is Source.PROVEN]
        expected = {c.open_time: c for c in from_tape(BTC, proven[0].open_time, proven[-1].close_time)}
        assert [figures(candle) for candle in proven] == [figures(expected[candle.open_time]) for candle in proven]

    async def until(self, happened: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not happened():
                self.clock.advance(timedelta(seconds=0.5))
                await asyncio.sleep(0.005)

    async def passed(self, **length: float) -> None:
        end = self.clock.now() + timedelta(**length)
        await self.until(lambda: self.clock.now() >= end)

    async def heals(self) -> None:
        """Every minute so far becomes proven."""
        until = M1.floor(self.clock.now())
        await self.until(lambda: self.unbroken_until(until))
        self.assert_true_to_the_tape()


@contextlib.asynccontextmanager
async def rig(faults: Faults | None = None) -> AsyncIterator[Rig]:
    clock = FakeClock(NOW)
    async with simulator(clock, faults) as exchange:
        yield Rig(exchange, clock)


async def test_the_first_minute_is_completed_from_its_beginning() -> None:
    async with rig() as made, made.feed():
        await made.passed(minutes=2)
        await made.heals()


async def test_dropped_frames_are_fetched() -> None:
    faults = Faults(seed=3)
    faults.drop_matches(0.2)
    async with rig(faults) as made, made.feed():
        await made.passed(minutes=3)
        await made.heals()


async def test_what_was_traded_during_a_broken_connection_is_fetched() -> None:
    faults = Faults()
    async with rig(faults) as made, made.feed():
        await made.passed(minutes=1)
        faults.refuse_connections()
        faults.cut_connections()
        await made.passed(minutes=2)
        faults.heal()
        await made.passed(minutes=1)
        await made.heals()


async def test_a_mute_symbol_whose_heartbeats_go_on_is_fetched() -> None:
    faults = Faults()
    async with rig(faults) as made, made.feed():
        await made.passed(minutes=1)
        faults.mute("BTC-USD")
        await made.passed(minutes=2)
        await made.heals()


async def test_a_symbol_that_is_mute_with_its_heartbeats_is_fetched() -> None:
    faults = Faults()
    async with rig(faults) as made, made.feed():
        await made.passed(minutes=1)
        faults.mute("BTC-USD", heartbeats_too=True)
        await made.passed(minutes=2)
        until = made.clock.now()
        # Another symbol keeps the connection alive: nothing but its own silence speaks against this one.
        await made.until(lambda: any(one.close_time >= until for one in made.minutes()))
        made.assert_true_to_the_tape()


async def test_a_feed_that_was_killed_goes_on_at_the_last_proven_candle() -> None:
    async with rig() as made:
        async with made.feed():
            await made.passed(minutes=2)
            await made.heals()
            await made.passed(seconds=25)
        await made.passed(minutes=5)
        async with made.feed():
            await made.passed(minutes=1)
            await made.heals()


async def test_a_minute_that_a_kill_left_half_mended_is_completed_though_a_later_one_is_proven() -> None:
    async with rig() as made:
        async with made.feed():
            await made.passed(minutes=4)
            await made.heals()
        before, made.store = made.store, SleepyStore()
        made.store.put_instruments([BTC])
        for candle in before.candles(BTC, M1, start=None, end=None, limit=1_000):
            half = candle.open_time == M1.floor(NOW) + M1.duration
            made.store.put_candles([replace(candle, source=Source.PARTIAL, volume=candle.low) if half else candle])
        async with made.feed():
            await made.heals()


async def test_a_store_that_does_not_answer_at_the_start_costs_no_minute() -> None:
    async with rig() as made:
        async with made.feed():
            await made.passed(minutes=2)
            await made.heals()
        await made.passed(minutes=3)
        made.store.silent_for = 3
        async with made.feed():
            await made.passed(minutes=1)
            await made.heals()
        assert made.store.silent_for == 0


async def test_an_exchange_whose_rest_is_away_for_a_while_is_asked_again() -> None:
    faults = Faults()
    async with rig(faults) as made, made.feed():
        await made.passed(minutes=1)
        faults.drop_matches(0.3)
        faults.refuse_connections(rest_too=True)
        await made.passed(minutes=1)
        faults.heal()
        await made.passed(minutes=1)
        await made.heals()


# By itself


class Scripted:
    """An exchange's REST that has exactly these trades."""

    def __init__(self, *ids: int) -> None:
        self.ids = ids
        self.asked: list[int] = []

    async def fetch(self, request: Request) -> bytes:
        query = dict(request.query)
        before = int(query.get("after", 2**62))
        self.asked.append(before)
        page = sorted((one for one in self.ids if one < before), reverse=True)[: int(query["limit"])]
        return json.dumps([self._trade(one) for one in page]).encode()

    def _trade(self, trade_id: int) -> dict[str, object]:
        time = (NOW + timedelta(seconds=trade_id)).isoformat().replace("+00:00", "Z")
        return {"trade_id": trade_id, "side": "buy", "price": "1", "size": "1", "time": time}


def seen_by_the_feed(*ids: int) -> FollowedExchange:
    stream = Stream(CoinbaseExchange("ws://nowhere"), clock=FakeClock(NOW))
    followed = FollowedExchange(stream, keep_trades=False, trades_max=10)
    followed.know(["BTC-USD"])
    page = CoinbaseRest().parse_trades(json.dumps([Scripted()._trade(one) for one in ids]).encode(), "BTC-USD")
    followed.handle(page.trades)
    return followed


async def mended(
    followed: FollowedExchange, exchange: Scripted, limits: MendLimits, enough: Callable[[Mender], bool]
) -> Mender:
    mender = Mender(followed, CoinbaseRest(), exchange.fetch, limits)
    running = asyncio.create_task(mender.run())
    async with asyncio.timeout(5):
        while not enough(mender):  # noqa: ASYNC110 - the mender has no one to tell
            await asyncio.sleep(0.005)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return mender


def ids_of(trades: Sequence[Trade]) -> list[int]:
    return [trade.id for trade in trades]


async def test_exactly_the_missing_ids_are_taken_page_by_page() -> None:
    followed, exchange = seen_by_the_feed(100, 101, 126), Scripted(*range(90, 200))
    mender = await mended(followed, exchange, replace(LIMITS, page_trades=10), lambda one: not one.holes())
    assert followed.bars["BTC-USD"].seen.covers(100, 126)
    assert mender.mended >= 24
    assert [before for before in exchange.asked if before > 101] == [127, 117, 107]


async def test_ids_that_the_exchange_never_had_are_asked_for_twice_and_then_let_be() -> None:
    followed, exchange = seen_by_the_feed(100, 101, 106), Scripted(99, 100, 101, 103, 106)
    mender = await mended(followed, exchange, LIMITS, lambda one: not one.holes())
    assert mender.absent == 3
    assert exchange.asked.count(107) == 2


async def test_ids_that_rest_does_not_know_yet_are_not_taken_for_absent() -> None:
    followed, exchange = seen_by_the_feed(100, 101, 106), Scripted(*range(90, 104))
    limits = replace(LIMITS, retry_seconds=0.01)
    mender = await mended(followed, exchange, limits, lambda _: len(exchange.asked) > 5)
    assert [(hole.first, hole.last) for hole in mender.holes()] == [(104, 105)]
    exchange.ids = tuple(range(90, 107))
    mender = await mended(followed, exchange, limits, lambda one: not one.holes())
    assert (mender.mended, mender.absent) == (2, 0)


async def test_what_a_heartbeat_names_and_rest_does_not_know_yet_is_not_taken_for_absent() -> None:
    followed, exchange = seen_by_the_feed(99, 100), Scripted(*range(90, 101))
    followed.handle([Heartbeat("BTC-USD", 102, 0)])
    mender = await mended(followed, exchange, replace(LIMITS, retry_seconds=0.01), lambda _: len(exchange.asked) > 5)
    assert mender.absent == 0
    assert [(hole.first, hole.last) for hole in mender.holes()] == [(101, 102)]


async def test_an_empty_page_is_not_the_beginning_of_a_market() -> None:
    followed, exchange = seen_by_the_feed(50, 51), Scripted()
    await mended(followed, exchange, LIMITS, lambda _: len(exchange.asked) > 2)
    assert not followed.bars["BTC-USD"].seen.covers(49, 49)


async def test_there_is_no_trade_before_the_first() -> None:
    followed, exchange = seen_by_the_feed(1, 2), Scripted(1, 2)
    await mended(followed, exchange, LIMITS, lambda _: followed.bars["BTC-USD"].beginning is None)
    assert exchange.asked == []


async def test_a_hole_too_long_is_left_alone() -> None:
    followed, exchange = seen_by_the_feed(100, 200_000), Scripted(*range(90, 300))
    limits = replace(LIMITS, hole_ids_max=1_000, settle_seconds=0.0)
    mender = await mended(followed, exchange, limits, lambda _: bool(exchange.asked))
    assert [(hole.first, hole.last) for hole in mender.holes()] == [(101, 199_999)]
    assert 200_000 not in exchange.asked


# Holes too long


async def test_a_hole_too_long_is_on_the_ledger_at_once_and_what_the_mover_repairs_is_taken_over() -> None:
    """An outage of four minutes, of which fetching is left to the mover; then no hole is left, and all is proven."""
    faults = Faults()
    async with rig(faults) as made:
        made.limits = replace(LIMITS, hole_ids_max=40)
        async with made.feed() as follow:
            await made.passed(minutes=1)
            cut_at = made.clock.now()
            faults.refuse_connections()
            faults.cut_connections()
            await made.passed(minutes=4)
            faults.heal()
            back_at = made.clock.now()
            await made.until(lambda: made.gaps(GapState.OPEN))
            (gap,) = made.gaps(GapState.OPEN)
            assert gap.cause == "disconnect"
            assert gap.span.start <= M1.floor(cut_at) < M1.floor(back_at) <= gap.span.end
            await made.passed(minutes=2)
            followed = follow.followed[BTC.exchange]
            assert followed.holes("BTC-USD")
            until = M1.floor(made.clock.now())
            async with asyncio.timeout(DEADLINE_SECONDS):
                # In a market that runs this fast, some further hole may be too long: the mover runs every minute.
                while followed.holes("BTC-USD") or not made.unbroken_until(until):
                    await made.repaired()
                    await made.passed(seconds=20)
            made.assert_true_to_the_tape()


async def test_a_hole_that_nobody_could_repair_is_let_go_and_proves_nothing() -> None:
    faults = Faults()
    async with rig(faults) as made:
        made.limits = replace(LIMITS, hole_ids_max=40)
        async with made.feed() as follow:
            await made.passed(minutes=1)
            faults.refuse_connections()
            faults.cut_connections()
            await made.passed(minutes=4)
            faults.heal()
            await made.until(lambda: made.gaps(GapState.OPEN))
            await made.passed(minutes=2)
            for gap in made.store.claim_gaps("test", now=made.clock.now(), lease_seconds=60, limit=10):
                made.store.resolve_gap(gap, state=GapState.UNRECOVERABLE, now=made.clock.now(), reason="gone")
            lost = [gap.span for gap in made.gaps(GapState.UNRECOVERABLE)]
            followed = follow.followed[BTC.exchange]
            await made.until(lambda: not followed.holes("BTC-USD"))
            let_go_at = made.clock.now()
            await made.until(lambda: any(one.open_time > let_go_at and one.complete for one in made.minutes()))
            inside = [one for one in made.minutes() if any(one.open_time in span for span in lost)]
            assert {one.source for one in inside} <= {Source.PARTIAL}
            made.store.roll_up()
            assert [made.store.coverage(BTC, M1, span).empty for span in lost] == [()] * len(lost)
            made.assert_true_to_the_tape()
