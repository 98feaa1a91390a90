"""A trade that comes hours late corrects its candle and every parent, and whoever follows live hears of it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from marketdata.clock import FakeClock
from marketdata.errors import RemoteUnavailable
from marketdata.exchanges.coinbase import CoinbaseExchange
from marketdata.exchanges.coinbase_rest import CoinbaseRest
from marketdata.exchanges.exchange import Request
from marketdata.jobs.follow_live import FollowLive, Rhythm
from marketdata.jobs.followed_exchange import BUCKETS_KEPT, FollowedExchange
from marketdata.jobs.mend import Mender, MendLimits
from marketdata.model.candle import Candle, Source
from marketdata.model.events import Subscribed
from marketdata.model.gap import GapState
from marketdata.model.timeframe import M1, Timeframe, timeframe_named
from marketdata.model.times import nanoseconds, rfc3339, utc
from marketdata.model.trade import Side, Trade
from marketdata.net.stream import Handler, Stream
from marketdata.store.memory import MemoryStore

from tests.market import BTC, MINUTE, at

M5, H1 = timeframe_named("5m"), timeframe_named("1h")
HASTY = Rhythm(
    publish_seconds=0.01,
    flush_seconds=0.02,
    instruments_seconds=0.05,
    status_seconds=5.0,
    late_seconds=0.02,
    revisions_seconds=0.02,
)
LIMITS = MendLimits(look_seconds=0.02, settle_seconds=0.05, page_trades=50, retry_seconds=0.02)
BEGIN = at("01:00")
HOURS = 5


class Wire(Stream):
    """A stream whose frames are what the test says."""

    handle: Handler

    async def run(self, handle: Handler) -> None:
        self.handle = handle
        self.status.state = "live"
        await asyncio.Event().wait()

    def follow(self, symbols: Collection[str]) -> None:
        self.status.subscribed = frozenset(symbols)


class Market:
    """An exchange with two trades a minute, and a feed that follows it."""

    def __init__(self, trades: Sequence[Trade]) -> None:
        self.trades = {trade.id: trade for trade in trades}
        self.away = False
        self.store = MemoryStore()
        self.store.put_instruments([BTC])
        self.wire = Wire(CoinbaseExchange("ws://nowhere"), clock=FakeClock(BEGIN))
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.follow = FollowLive(
            store=self.store,
            open_stream=lambda _: self.wire,
            open_mender=self._mender,
            publish=self._publish,
            clock=FakeClock(BEGIN),
            feed_id="test",
            rhythm=HASTY,
        )

    def _mender(self, followed: FollowedExchange) -> Mender:
        return Mender(followed, CoinbaseRest(), self._fetch, LIMITS)

    def _publish(
        self, kind: str, exchange: str, symbol: str, document: bytes, *, conflation_key: str | None = None
    ) -> None:
        self.told.append((kind, json.loads(document)))

    async def _fetch(self, request: Request) -> bytes:
        if self.away:
            raise RemoteUnavailable("coinbase", "away")
        query = dict(request.query)
        before = int(query.get("after", 2**62))
        page = sorted((one for one in self.trades if one < before), reverse=True)[: int(query["limit"])]
        return json.dumps([_wired(self.trades[one]) for one in page]).encode()

    def says(self, *trades: Trade) -> None:
        """The exchange sends these."""
        self.trades.update((trade.id, trade) for trade in trades)
        self.wire.handle(trades)

    def candle(self, clock: str, timeframe: Timeframe = M1) -> Candle | None:
        found = self.store.candles(BTC, timeframe, start=at(clock), end=at(clock) + timeframe.duration, limit=1)
        return found[0] if found else None

    def is_proven(self, clock: str) -> bool:
        held = self.candle(clock)
        return held is not None and held.source is Source.PROVEN

    def revised(self, clock: str, timeframe: Timeframe = M1) -> list[dict[str, Any]]:
        return [
            one
            for kind, one in self.told
            if kind == "revise" and (one["open_time"], one["timeframe"]) == (rfc3339(at(clock)), str(timeframe))
        ]

    async def quiet(self) -> None:
        """Until everything is rolled up and nothing more is told; what was told so far is forgotten."""
        heard = -1
        while heard != len(self.told):
            heard = len(self.told)
            for _ in range(20):
                self.store.roll_up()
                await asyncio.sleep(0.01)
        self.told.clear()

    async def until(self, happened: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not happened():
                # The scheduler's part.
                self.store.roll_up()
                await asyncio.sleep(0.01)


def _wired(trade: Trade) -> dict[str, object]:
    time = rfc3339(utc(trade.time_ns))
    return {"trade_id": trade.id, "side": "sell", "price": str(trade.price), "size": str(trade.size), "time": time}


def a_trade(number: int, seconds: float, price: str = "100") -> Trade:
    """The taker bought."""
    time_ns = nanoseconds(BEGIN) + round(seconds * 1_000_000_000)
    return Trade("BTC-USD", number, time_ns, Decimal(price), Decimal(1), Side.BUY)


def two_a_minute(minutes: int, skipped: int) -> list[Trade]:
    """Numbered one by one from 1,000; one of them is left out, so that it can come late."""
    return [a_trade(number, 30 * (number - 1_000)) for number in range(1_000, 1_001 + 2 * minutes) if number != skipped]


@contextlib.asynccontextmanager
async def five_hours(skipped: int) -> AsyncIterator[Market]:
    """A feed that has seen five hours of a market, of which it has the last three in memory; all of it is proven."""
    trades = two_a_minute(60 * HOURS, skipped)
    assert BUCKETS_KEPT < 60 * HOURS
    market = Market(trades)
    running = asyncio.create_task(market.follow.run())
    try:
        await market.until(lambda: hasattr(market.wire, "handle"))
        market.wire.handle((Subscribed(("BTC-USD",)),))
        early = BEGIN + timedelta(hours=1)
        market.wire.handle([trade for trade in trades if utc(trade.time_ns) < early])
        await market.until(lambda: market.is_proven("01:40"))
        market.wire.handle([trade for trade in trades if utc(trade.time_ns) >= early])
        await market.until(lambda: market.is_proven("05:58"))
        yield market
    finally:
        market.follow.stop()
        await running


async def test_a_trade_that_is_hours_late_corrects_its_candle_and_every_parent_and_all_of_it_is_told() -> None:
    """From the wire to the hub: the minute is not in memory any more."""
    async with five_hours(skipped=1_080) as market:
        await market.quiet()
        before, parent = market.candle("01:40"), market.candle("01:40", M5)
        assert before is not None
        assert parent is not None
        late = a_trade(1_080, 40 * 60 + 10, price="777")
        market.says(late)
        await market.until(lambda: market.revised("01:40"))
        after = market.candle("01:40")
        assert after is not None
        assert (after.high, after.trades, after.source) == (Decimal(777), (before.trades or 0) + 1, Source.PROVEN)
        assert after.revision == before.revision + 1
        assert market.revised("01:40")[0]["high"] == "777"
        await market.until(lambda: market.revised("01:40", M5) and market.revised("01:00", H1))
        assert market.revised("01:40", M5)[0]["high"] == market.revised("01:00", H1)[0]["high"] == "777"
        assert market.revised("01:40", M5)[0]["revision"] > parent.revision
        assert all(document["closed"] for kind, document in market.told if kind == "revise")


async def test_a_late_trade_waits_for_an_exchange_whose_rest_is_away() -> None:
    async with five_hours(skipped=1_080) as market:
        await market.quiet()
        market.away = True
        market.says(a_trade(1_080, 40 * 60 + 10, price="777"))
        await asyncio.sleep(0.05)
        market.away = False
        await market.until(lambda: market.revised("01:40"))


async def test_a_late_trade_of_a_minute_that_is_not_held_puts_it_on_the_ledger() -> None:
    async with five_hours(skipped=1_080) as market:
        market.says(a_trade(1_080, -3_600))
        await market.until(lambda: market.store.gaps(limit=10))
        (gap,) = market.store.gaps(limit=10)
        assert (gap.cause, gap.state, gap.span.start) == ("late", GapState.OPEN, BEGIN - timedelta(hours=1))


async def test_a_late_trade_of_a_minute_in_memory_corrects_it_within_seconds() -> None:
    async with five_hours(skipped=1_500) as market:
        loop = asyncio.get_running_loop()
        minute = (1_500 - 1_000) // 2
        clock = rfc3339(BEGIN + minute * MINUTE)[11:16]
        said = loop.time()
        market.says(a_trade(1_500, 60 * minute + 10, price="777"))
        await market.until(lambda: [one for one in market.revised(clock) if one["high"] == "777"])
        assert loop.time() - said < 5
        await market.until(lambda: market.revised("05:00", H1))


async def test_what_others_repair_is_told_and_what_the_feed_told_is_not_told_again() -> None:
    async with five_hours(skipped=1_080) as market:
        await market.quiet()
        repaired = market.candle("01:30")
        assert repaired is not None
        market.store.put_candles([_corrected(repaired)])
        await market.until(lambda: market.revised("01:30") and market.revised("01:30", M5))
        assert market.revised("01:30")[0]["source"] == "manual"
        minutes = {one["open_time"] for kind, one in market.told if kind == "revise" and one["timeframe"] == "1m"}
        assert minutes == {rfc3339(at("01:30"))}


def _corrected(candle: Candle) -> Candle:
    return replace(candle, source=Source.MANUAL, close=candle.close + 1, high=candle.high + 1)
