"""The way of a trade: from the exchange's own frames to stored, announced candles."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from marketdata.clock import FakeClock
from marketdata.compute.bars import Bars
from marketdata.errors import StoreError
from marketdata.exchanges.registry import live_trades
from marketdata.jobs.follow_live import FollowLive, Rhythm
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.trade import Trade
from marketdata.net.stream import Patience, Stream
from marketdata.store.memory import MemoryStore
from marketdata.store.news import News

from local.exchanges.faults import Faults
from tests.unit.local.exchanges.market import NOW, TAPE, simulator

pytestmark = pytest.mark.slow

DEADLINE_SECONDS = 20.0
BTC = Instrument("coinbase-simulated", "BTC-USD", "BTC", "USD", simulated=True)
ETH = replace(BTC, symbol="ETH-USD", base="ETH")
HASTY = Rhythm(
    publish_seconds=0.01,
    flush_seconds=0.02,
    instruments_seconds=0.05,
    status_seconds=0.05,
    news_seconds=0.05,
    stop_seconds_max=2.0,
)


class MoodyStore(MemoryStore):
    """A store that does not answer while it is `down`, and remembers proven candles that came before their trades."""

    down = False
    takes_no_trades = False

    def __init__(self) -> None:
        super().__init__()
        self.groundless: list[Candle] = []
        self.asked_for_news = 0

    def put_candles(self, candles: Sequence[Candle]) -> None:
        if self.down:
            raise StoreError("put_candles", "no answer")
        self.groundless += [candle for candle in candles if candle.source is Source.PROVEN and not self.has_all(candle)]
        super().put_candles(candles)

    def put_trades(self, exchange: str, trades: Sequence[Trade]) -> None:
        if self.takes_no_trades:
            raise StoreError("put_trades", "no room")
        super().put_trades(exchange, trades)

    def news(self, *, after: str | None, limit: int) -> News:
        found = super().news(after=after, limit=limit)
        self.asked_for_news += 1
        return found

    def has_all(self, candle: Candle) -> bool:
        """Whether every trade of the candle is kept."""
        return len(self.trades(BTC, Span(candle.open_time, candle.close_time), limit=10_000)) == candle.trades


class Rig:
    """The job between a simulated exchange, whose clock runs fast while we wait, and a store in memory."""

    def __init__(self, url: str, clock: FakeClock, feed: str) -> None:
        self.clock = clock
        self.store = MoodyStore()
        self.store.put_instruments([BTC])
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.unstored: list[dict[str, Any]] = []

        def open_stream(exchange: str) -> Stream:
            patience = Patience(backoff_seconds_first=0.01, backoff_seconds_max=0.05, watch_seconds=0.05)
            adapter = live_trades(exchange, feed, url)
            return Stream(adapter, clock=clock, patience=patience, random_source=random.Random(1))

        self.follow = FollowLive(
            store=self.store,
            open_stream=open_stream,
            open_mender=lambda _: None,
            publish=self._publish,
            clock=clock,
            feed_id="test",
            rhythm=HASTY,
        )

    def _publish(
        self, kind: str, exchange: str, symbol: str, document: bytes, *, conflation_key: str | None = None
    ) -> None:
        record = json.loads(document)
        self.published.append((kind, record))
        if record.get("closed"):
            stored = {candle.open_time.isoformat().replace("+00:00", "Z"): candle for candle in self.minutes()}
            if stored[record["open_time"]].trades != record["trades"]:
                self.unstored.append(record)

    def minutes(self, instrument: Instrument = BTC) -> list[Candle]:
        return self.store.candles(instrument, M1, start=None, end=None, limit=1_000)

    def proven(self) -> list[Candle]:
        return [candle for candle in self.minutes() if candle.source is Source.PROVEN]

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [record for told, record in self.published if told == kind]

    async def until(self, happened: Callable[[], object], *, step: timedelta = timedelta(seconds=0.5)) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not happened():
                self.clock.advance(step)
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def rig(faults: Faults | None = None, feed: str = "exchange") -> AsyncIterator[Rig]:
    clock = FakeClock(NOW)
    async with simulator(clock, faults) as exchange:
        made = Rig(exchange.exchange_url if feed == "exchange" else exchange.advanced_url, clock, feed)
        running = asyncio.create_task(made.follow.run())
        try:
            yield made
        finally:
            made.follow.stop()
            with contextlib.suppress(StoreError):
                await running


def from_tape(instrument: Instrument, start: datetime, end: datetime) -> Iterator[Candle]:
    """The candles that every trade of the tape in a span makes."""
    bars = Bars(instrument.exchange, instrument.symbol, ids_contiguous=True)
    for trade in TAPE.trades(instrument.symbol, Span(start, end)):
        bars.add(trade)
    for change in bars.take():
        yield change.candle


def figures(candle: Candle) -> Candle:
    """A candle without what the way it came adds."""
    return replace(candle, source=Source.PROVEN, revision=0)


@pytest.mark.parametrize("feed", ["exchange", "advanced"])
async def test_stored_minutes_equal_the_exchanges_own_trades_and_are_proven(feed: str) -> None:
    async with rig(feed=feed) as made:
        await made.until(lambda: len(made.proven()) >= 4)
        stored = made.proven()
        expected = {c.open_time: c for c in from_tape(BTC, stored[0].open_time, stored[-1].close_time)}
        assert [figures(candle) for candle in stored] == [figures(expected[candle.open_time]) for candle in stored]
        assert stored[-1].open_time - stored[0].open_time == timedelta(minutes=len(stored) - 1)


async def test_a_closed_candle_is_announced_only_after_the_store_took_it() -> None:
    async with rig() as made:
        await made.until(lambda: len([one for one in made.told("candle") if one["closed"]]) >= 3)
        assert made.unstored == []
        assert all(record["simulated"] for record in made.told("candle"))
        closed = [record["open_time"] for record in made.told("candle") if record["closed"]]
        assert len(closed) == len(set(closed))


async def test_an_open_candle_is_seen_growing_and_stored_as_partial() -> None:
    async with rig() as made:
        await made.until(lambda: len([one for one in made.told("candle") if not one["closed"]]) >= 3)
        assert {record["source"] for record in made.told("candle") if not record["closed"]} == {"partial"}
        await made.until(made.minutes, step=timedelta())


async def test_a_quiet_market_does_not_hold_back_what_is_known() -> None:
    """Flush by timer, not by the next message."""
    faults = Faults()
    async with rig(faults) as made:
        await made.until(lambda: made.told("candle"))
        faults.mute("BTC-USD", heartbeats_too=True)
        seen = made.told("candle")[-1]["trades"]
        await made.until(lambda: made.minutes() and made.minutes()[-1].trades >= seen, step=timedelta())


async def test_a_store_that_fails_for_a_while_costs_nothing() -> None:
    async with rig() as made:
        await made.until(made.proven)
        made.store.down = True
        stored = len(made.minutes())
        until = made.clock.now() + timedelta(minutes=4)
        await made.until(lambda: made.clock.now() > until)
        assert len(made.minutes()) == stored
        made.store.down = False
        await made.until(lambda: len(made.proven()) >= stored + 3)
        proven = made.proven()
        assert proven[-1].open_time - proven[0].open_time == timedelta(minutes=len(proven) - 1)
        assert made.unstored == []


async def test_stopping_saves_everything_that_was_read() -> None:
    async with rig() as made:
        await made.until(lambda: made.told("candle"))
        made.store.down = True
        before = len(made.told("candle"))
        await made.until(lambda: len(made.told("candle")) > before + 3)
        made.store.down = False
    last = made.told("candle")[-1]
    assert made.minutes()[-1].trades >= last["trades"]
    assert made.store.feed_statuses()[0].state == "stopped"


async def test_a_stop_that_cannot_save_says_so() -> None:
    clock = FakeClock(NOW)
    async with simulator(clock) as exchange:
        made = Rig(exchange.exchange_url, clock, "exchange")
        made.store.down = True
        running = asyncio.create_task(made.follow.run())
        await made.until(lambda: made.told("candle"))
        made.follow.stop()
        with pytest.raises(StoreError, match="did not reach the store"):
            await running


async def test_a_new_instrument_is_followed_without_a_reconnect() -> None:
    async with rig() as made:
        await made.until(made.proven)
        made.store.put_instruments([ETH])
        await made.until(lambda: made.minutes(ETH))
        assert made.follow.statuses()[0].reconnects == 0
        proven = made.proven()
        await made.until(lambda: len(made.proven()) >= len(proven) + 2)
        assert made.proven()[-1].open_time - proven[0].open_time == timedelta(minutes=len(made.proven()) - 1)


async def test_a_lost_trade_leaves_its_minute_partial_and_says_so() -> None:
    faults = Faults()
    async with rig(faults) as made:
        await made.until(made.proven)
        faults.drop_matches(1.0)
        lost_from = made.clock.now()
        await made.until(lambda: made.clock.now() > lost_from + timedelta(seconds=5))
        faults.heal()
        healed_at = made.clock.now()
        await made.until(lambda: made.minutes()[-1].open_time > healed_at + timedelta(minutes=3))
        hurt = [c for c in made.minutes() if M1.floor(lost_from) <= c.open_time <= M1.floor(healed_at)]
        assert {candle.source for candle in hurt} == {Source.PARTIAL}
        assert made.proven()[-1].open_time > healed_at


async def test_what_is_malformed_is_quarantined_and_the_feed_stays_up() -> None:
    faults = Faults()
    async with rig(faults) as made:
        await made.until(lambda: made.told("candle"))
        faults.inject('{"type":"match","trade_id":"?"}')
        faults.add_unknowns()
        await made.until(lambda: made.follow.followed and made.follow.followed[BTC.exchange].quarantine)
        assert "trade_id" in made.follow.followed[BTC.exchange].quarantine[0].excerpt
        assert made.follow.statuses()[0].malformed == 1
        before = len(made.proven())
        await made.until(lambda: len(made.proven()) > before)


async def test_minutes_without_trades_are_known_to_be_empty() -> None:
    quiet = Instrument("coinbase-simulated", "ETH-BTC", "ETH", "BTC", simulated=True)
    async with rig() as made:
        made.store.put_instruments([quiet])

        def empty() -> tuple[Span, ...]:
            made.store.roll_up()
            return made.store.coverage(quiet, M1, Span(NOW - timedelta(hours=2), NOW + timedelta(days=1))).empty

        await made.until(empty)
        for span in empty():
            assert TAPE.trades("ETH-BTC", span) == []


async def test_an_exchange_without_an_adapter_does_not_stop_the_others() -> None:
    async with rig() as made:
        made.store.put_instruments([replace(BTC, exchange="mtgox", simulated=False)])
        await made.until(made.proven)
        assert [status.exchange for status in made.follow.statuses()] == [BTC.exchange]


async def test_trades_are_kept_once_each() -> None:
    async with rig() as made:
        await made.until(lambda: len(made.proven()) >= 2)
        candle = made.proven()[-1]

        def kept() -> int:
            return len(made.store.trades(BTC, Span(candle.open_time, candle.close_time), limit=10_000))

        await made.until(lambda: kept() == candle.trades, step=timedelta())


async def test_a_kill_between_trades_and_candles_loses_no_trade_of_a_proven_minute() -> None:
    async with rig() as made:
        await made.until(lambda: len(made.proven()) >= 8, step=timedelta(seconds=7))
        assert made.store.groundless == []


async def test_candles_do_not_wait_for_trades_that_the_store_refuses() -> None:
    async with rig() as made:
        made.store.takes_no_trades = True
        await made.until(lambda: len(made.proven()) >= 2)
        made.store.takes_no_trades = False
        await made.until(lambda: made.store.has_all(made.proven()[0]), step=timedelta())


async def test_a_gap_that_another_process_finds_is_told_while_the_feed_follows() -> None:
    async with rig() as made:
        await made.until(lambda: made.store.asked_for_news)
        hole = Span(M1.floor(NOW) - timedelta(hours=2), M1.floor(NOW) - timedelta(hours=1))
        made.store.record_gaps(BTC, M1, [hole], cause="scan", found_at=NOW)
        await made.until(lambda: made.told("gap"))
        assert [(gap["symbol"], gap["buckets"], gap["simulated"]) for gap in made.told("gap")] == [
            ("BTC-USD", 60, True)
        ]
