"""The way of a trade from Bitfinex, whose ids prove nothing: live minutes, and the venue's own where a break was."""

import asyncio
import json
from datetime import datetime, timedelta

import pytest
from marketdata.compute.coverage import union
from marketdata.exchanges.bitfinex_rest import BitfinexRest
from marketdata.exchanges.exchange import Request
from marketdata.jobs.exchange_past import ExchangePast
from marketdata.jobs.fill_gaps import fill_gaps
from marketdata.jobs.follow_live import FollowLive
from marketdata.jobs.scan_gaps import scan_gaps
from marketdata.model.candle import Candle, Source
from marketdata.model.gap import GapState
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.memory import MemoryStore

from tests.contract.adapter_wires import Rig, rig
from tests.unit.jobs.test_follow_live import HASTY

pytestmark = pytest.mark.slow

BTC = Instrument("bitfinex", "tBTCUSD", "BTC", "USD")
QUIET = Instrument("bitfinex", "tETHBTC", "ETH", "BTC")
PRODUCTS = {"tBTCUSD": "BTC-USD", "tETHBTC": "ETH-BTC"}
MINUTE, GRACE = timedelta(minutes=1), timedelta(minutes=2)


class Followed:
    """The job, from the exchange's own server to a store in memory."""

    def __init__(self, market: Rig) -> None:
        self.market = market
        self.loses_candles_after: datetime | None = None
        self.store = MemoryStore(market.clock)
        self.store.put_instruments([BTC, QUIET])
        self.follow = FollowLive(
            store=self.store,
            open_stream=lambda _: market.stream("trades"),
            open_mender=lambda _: None,
            publish=lambda *_, **__: None,
            clock=market.clock,
            feed_id="test",
            rhythm=HASTY,
        )

    async def live_for(self, minutes: int) -> None:
        """Until so many minutes more are known of the busy pair."""
        until = self.market.clock.now() + minutes * MINUTE
        await self.market.until(lambda: self.market.clock.now() > until, timedelta(seconds=0.5))

    def minutes(self, instrument: Instrument = BTC) -> list[Candle]:
        return self.store.candles(instrument, M1, start=None, end=None, limit=1_000)

    def repair(self) -> None:
        """One scan, and one run of the mover."""
        deadline = self.market.clock.now() + 10 * MINUTE
        scan_gaps(self.store, self.market.clock, deadline, history=timedelta(days=1), grace=GRACE)
        self.fill()

    def fill(self) -> None:
        """One run of the mover."""
        market = self.market
        deadline = market.clock.now() + 10 * MINUTE
        rest = BitfinexRest()
        past = ExchangePast(self._get, rest, trades_by_time=rest)
        fill_gaps(self.store, {"bitfinex": past}, market.clock, worker="one", deadline=deadline)

    def _get(self, request: Request) -> bytes:
        body = self.market.rest.get(request)
        if self.loses_candles_after is None or "/candles/" not in request.path:
            return body
        end_ms = self.loses_candles_after.timestamp() * 1000
        return json.dumps([row for row in json.loads(body) if row[0] < end_ms]).encode()

    def as_traded(self, candle: Candle) -> bool:
        """Whether a minute is what the exchange's whole market says."""
        bar = self.market.tape.bar(PRODUCTS[candle.symbol], Span(candle.open_time, candle.close_time))
        outline = (candle.open, candle.high, candle.low, candle.close, candle.volume)
        return bar is not None and outline == (bar.open, bar.high, bar.low, bar.close, bar.volume)


async def test_minutes_of_a_connection_that_held_are_live_and_exact_and_a_break_is_repaired_by_the_venue() -> None:
    async with rig("bitfinex") as market:
        followed = Followed(market)
        running = asyncio.create_task(followed.follow.run())
        await followed.live_for(4)
        market.faults.refuse_connections()
        market.faults.cut_connections()
        await followed.live_for(3)
        market.faults.heal()
        await followed.live_for(4)
        followed.follow.stop()
        await running
        before = {one.open_time: one for one in followed.minutes()}
        live = [one for one in before.values() if one.source is Source.LIVE]
        assert len(live) >= 4
        assert all(followed.as_traded(one) for one in live)

        await asyncio.to_thread(followed.repair)
        after = [one for one in followed.minutes() if one.close_time <= market.clock.now() - 2 * GRACE]
        assert all(followed.as_traded(one) for one in after if one.complete)
        sources = [one.source for one in after if one.complete]
        assert {Source.LIVE, Source.VENUE} == set(sources)
        opens = [one.open_time for one in after if one.complete]
        assert opens == [opens[0] + number * MINUTE for number in range(len(opens))]


async def test_quiet_minutes_up_to_now_are_known_to_be_quiet() -> None:
    async with rig("bitfinex") as market:
        followed = Followed(market)
        market.clock.advance(timedelta(hours=2))
        since = Span(market.clock.now() - timedelta(hours=2), M1.floor(market.clock.now() - 2 * GRACE))
        await asyncio.to_thread(followed.repair)
        followed.store.roll_up()
        known = followed.store.coverage(QUIET, M1, since)
        assert union(known.covered, known.empty) == (since,)
        assert all(market.tape.bar("ETH-BTC", one) is None for one in known.empty)


async def test_the_minutes_since_the_last_trade_of_all_are_empty_by_the_exchanges_word() -> None:
    """The pair is asked for just as it has been quiet for some minutes."""
    async with rig("bitfinex") as market:
        followed = Followed(market)
        while market.tape.bar("ETH-BTC", Span(market.clock.now() - 6 * MINUTE, market.clock.now())):
            market.clock.advance(timedelta(seconds=10))
        quiet = Span(M1.ceil(market.clock.now() - 5 * MINUTE), M1.floor(market.clock.now() - GRACE))
        followed.store.record_gaps(QUIET, M1, [quiet], cause="scan", found_at=market.clock.now())
        await asyncio.to_thread(followed.fill)
        assert [gap.state for gap in followed.store.gaps(limit=10)] == [GapState.NO_TRADES]


async def test_minutes_of_which_there_are_trades_but_no_candles_are_not_empty_and_not_waited_for() -> None:
    async with rig("bitfinex") as market:
        followed = Followed(market)
        end = M1.floor(market.clock.now() - GRACE)
        followed.store.record_gaps(BTC, M1, [Span(end - 5 * MINUTE, end)], cause="scan", found_at=market.clock.now())
        followed.loses_candles_after = end - 5 * MINUTE
        await asyncio.to_thread(followed.fill)
        (gap,) = followed.store.gaps(limit=10)
        assert gap.reason.startswith("1 fruitless: there are trades since the newest candle")
