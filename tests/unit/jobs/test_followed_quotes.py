"""OANDA followed as the feed does it: from the exchange's own lines to stored candles, and REST's word over them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from marketdata.clock import FakeClock
from marketdata.exchanges.oanda import OandaPricing, OandaRest
from marketdata.jobs.follow_live import FollowLive, Rhythm
from marketdata.jobs.followed_quotes import FollowedQuotes
from marketdata.model.candle import Candle, Source
from marketdata.model.events import Heartbeat
from marketdata.model.instrument import Instrument
from marketdata.model.quote import PriceSide, Quote
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.net.http_lines import connect_lines
from marketdata.net.rest import PacedBudget, Rest
from marketdata.net.stream import Patience, Stream
from marketdata.store.memory import MemoryStore

from local.exchanges.faults import Faults
from local.exchanges.oanda import oanda_simulator
from local.exchanges.oanda_wire import ACCOUNT, TOKEN
from local.exchanges.server import Server
from local.exchanges.tape import Tape
from tests.unit.local.exchanges.pairs import PAIRS

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
DEADLINE_SECONDS = 30.0
MIDDLE = Instrument("oanda", "EUR_USD", "EUR", "USD")
BID = Instrument("oanda", "EUR_USD:bid", "EUR", "USD")
HASTY = Rhythm(publish_seconds=0.01, flush_seconds=0.02, instruments_seconds=0.05, status_seconds=0.05)
SECRET = (("Authorization", f"Bearer {TOKEN}"),)


class Rig:
    """The feed between a server that speaks OANDA's protocol, whose clock runs while we wait, and a store."""

    def __init__(self, url: str, clock: FakeClock) -> None:
        self.url = url
        self.clock = clock
        self.store = MemoryStore()
        self.store.put_instruments([MIDDLE, BID])
        self.published: set[str] = set()

        def open_stream(exchange: str) -> Stream:
            feed = OandaPricing(url, exchange, ACCOUNT)
            patience = Patience(backoff_seconds_first=0.01, backoff_seconds_max=0.05, watch_seconds=0.05)
            return Stream(
                feed, clock=clock, connect=connect_lines(feed.stream_request, dict(SECRET)), patience=patience
            )

        self.follow = FollowLive(
            store=self.store,
            open_stream=open_stream,
            open_mender=lambda _followed: None,
            publish=self._publish,
            clock=clock,
            feed_id="test",
            rhythm=HASTY,
        )

    def _publish(
        self, kind: str, exchange: str, symbol: str, document: bytes, *, conflation_key: str | None = None
    ) -> None:
        self.published.add(symbol)

    def candles(self, instrument: Instrument) -> list[Candle]:
        return self.store.candles(instrument, M1, start=None, end=None, limit=1_000)

    def live(self, instrument: Instrument) -> list[Candle]:
        return [candle for candle in self.candles(instrument) if candle.source is Source.LIVE]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not condition():
                self.clock.advance(timedelta(seconds=2))
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def rig(faults: Faults) -> AsyncIterator[Rig]:
    clock = FakeClock(NOW)
    async with Server(oanda_simulator(Tape(3, PAIRS), clock, faults, poll_seconds=0.01)) as listening:
        made = Rig(listening.url, clock)
        running = asyncio.create_task(made.follow.run())
        try:
            yield made
        finally:
            made.follow.stop()
            await asyncio.wait_for(running, DEADLINE_SECONDS)


async def test_minutes_seen_whole_are_stored_as_live_in_every_price_followed_and_rest_wins() -> None:
    async with rig(Faults()) as made:
        await made.until(lambda: len(made.live(MIDDLE)) >= 2 and len(made.live(BID)) >= 2)
        sampled = made.live(BID)[0]
        rest = Rest("oanda", made.url, PacedBudget(100, 100, lambda: 0.0), made.clock, sleep=lambda _seconds: None)
        adapter = OandaRest()
        span = Span(sampled.open_time, sampled.close_time)
        (request,) = adapter.candle_requests(BID.symbol, M1, span)
        asked = type(request)(request.path, request.query, (*request.headers, *SECRET))
        body = await asyncio.to_thread(rest.get, asked)
        rest.close()
        (theirs,) = adapter.parse_candles(body, BID.symbol, M1, made.clock.now())
        assert (theirs.source, theirs.open_time) == (Source.VENUE, sampled.open_time)
        # The stream is a sample: it shows fewer prices than there were.
        assert theirs.trades is not None
        assert sampled.trades is not None
        assert theirs.trades > sampled.trades
        made.store.put_candles([theirs])
        held = next(one for one in made.candles(BID) if one.open_time == sampled.open_time)
        assert (held.source, held.trades) == (Source.VENUE, theirs.trades)
        assert made.published >= {"EUR_USD", "EUR_USD:bid"}


async def test_the_minute_in_which_the_stream_broke_is_partial() -> None:
    faults = Faults()
    async with rig(faults) as made:
        await made.until(lambda: len(made.live(MIDDLE)) >= 1)
        broken = M1.floor(made.clock.now())
        faults.cut_connections()
        await made.until(lambda: any(one.open_time > broken + 2 * M1.duration for one in made.live(MIDDLE)))
        held = {one.open_time: one.source for one in made.candles(MIDDLE)}
        assert Source.PARTIAL in {held.get(broken), held.get(broken + M1.duration)}


def test_a_heartbeat_vouches_for_what_flows_and_for_nothing_that_was_only_asked_for() -> None:
    quotes = FollowedQuotes("oanda", PriceSide.MID)
    assert quotes.know(["EUR_USD", "GBP_USD", "GBP_USD:bid"]) == ["EUR_USD", "GBP_USD"]
    quotes.acknowledged(["EUR_USD"])
    second = 10**9
    quotes.beat(Heartbeat(None, None, 59 * second))
    for symbol in ("EUR_USD", "GBP_USD"):
        for at in (61, 119, 121):
            quotes.add(Quote(symbol, at * second, Decimal(1), Decimal(2)))
    first_minute = {symbol: bars.take()[0].candle.source for symbol, bars in quotes.bars.items()}
    assert first_minute == {"EUR_USD": Source.LIVE, "GBP_USD": Source.PARTIAL, "GBP_USD:bid": Source.PARTIAL}
