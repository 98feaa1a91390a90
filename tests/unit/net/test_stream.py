"""One connection's life, against the simulated exchange and against peers that misbehave."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta

import pytest
from marketdata.clock import FakeClock
from marketdata.exchanges.coinbase import CoinbaseExchange
from marketdata.model.events import Disconnected, Event
from marketdata.model.trade import Trade
from marketdata.net.stream import Connect, Connection, Patience, Stream

from local.exchanges.faults import Faults
from tests.unit.local.exchanges.market import NOW, simulator

DEADLINE_SECONDS = 10.0
HASTY = Patience(backoff_seconds_first=0.01, backoff_seconds_max=0.05, acknowledge_seconds_max=0.3, watch_seconds=0.02)


class Rig:
    """A stream, what it handed out, and the exchange whose clock runs fast while we wait."""

    def __init__(
        self, url: str, clock: FakeClock, *, connect: Connect | None = None, dice: random.Random | None = None
    ) -> None:
        self.events: list[Event] = []
        self.frames: list[str | bytes] = []
        self.clock = clock
        self.exchange = CoinbaseExchange(url)
        self.exchange.silence_seconds_max = 0.5
        further = {} if connect is None else {"connect": connect}
        self.stream = Stream(
            self.exchange,
            clock=clock,
            patience=HASTY,
            random_source=dice or random.Random(1),
            on_frame=lambda frame, _: self.frames.append(frame),
            **further,
        )

    def handle(self, events: Sequence[Event]) -> None:
        self.events.extend(events)

    def trades(self, symbol: str | None = None) -> list[Trade]:
        return [one for one in self.events if isinstance(one, Trade) and symbol in (None, one.symbol)]

    def breaks(self) -> list[str]:
        return [one.reason for one in self.events if isinstance(one, Disconnected)]

    async def until(self, happened: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not happened():
                self.clock.advance(timedelta(seconds=0.25))
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def rig(*symbols: str, faults: Faults | None = None) -> AsyncIterator[Rig]:
    clock = FakeClock(NOW)
    async with simulator(clock, faults) as exchange:
        made = Rig(exchange.exchange_url, clock)
        made.stream.follow(symbols)
        running = asyncio.create_task(made.stream.run(made.handle))
        try:
            yield made
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_trades_flow_once_the_subscription_is_acknowledged() -> None:
    async with rig("BTC-USD") as made:
        assert made.stream.status.state == "connecting"
        await made.until(lambda: len(made.trades()) > 5)
        assert made.stream.status.state == "live"
        assert made.stream.status.subscribed == {"BTC-USD"}
        assert made.frames
        ids = [trade.id for trade in made.trades()]
        assert ids == list(range(ids[0], ids[0] + len(ids)))


async def test_a_cut_connection_is_an_event_and_is_made_again() -> None:
    faults = Faults()
    async with rig("BTC-USD", faults=faults) as made:
        await made.until(lambda: len(made.trades()) > 2)
        faults.cut_connections()
        await made.until(made.breaks)
        before = len(made.trades())
        await made.until(lambda: len(made.trades()) > before + 2)
        assert made.stream.status.connects == 2
        assert made.stream.status.state == "live"


async def test_an_open_but_silent_connection_is_given_up() -> None:
    faults = Faults()
    async with rig("BTC-USD", faults=faults) as made:
        await made.until(lambda: len(made.trades()) > 2)
        faults.fall_silent()
        await made.until(made.breaks)
        assert "silent for" in made.breaks()[0]
        faults.heal()
        await made.until(lambda: made.stream.status.state == "live")


async def test_a_new_symbol_is_subscribed_on_the_open_connection() -> None:
    async with rig("BTC-USD") as made:
        await made.until(lambda: len(made.trades()) > 2)
        made.stream.follow(["BTC-USD", "ETH-USD"])
        await made.until(lambda: len(made.trades("ETH-USD")) > 2)
        made.stream.follow(["ETH-USD"])
        await made.until(lambda: made.stream.status.subscribed == {"ETH-USD"})
        assert made.stream.status.connects == 1
        assert made.breaks() == []


async def test_one_refused_symbol_does_not_cost_the_others() -> None:
    async with rig("BTC-USD", "NO-SUCH", "ETH-USD") as made:
        await made.until(lambda: made.trades("BTC-USD") and made.trades("ETH-USD"))
        assert "NO-SUCH" in made.stream.status.refused
        assert made.stream.status.subscribed == {"BTC-USD", "ETH-USD"}


async def test_a_malformed_frame_is_counted_and_the_connection_stays() -> None:
    faults = Faults()
    async with rig("BTC-USD", faults=faults) as made:
        await made.until(made.trades)
        faults.inject_malformed()
        await made.until(lambda: made.stream.status.malformed)
        before = len(made.trades())
        await made.until(lambda: len(made.trades()) > before)
        assert made.breaks() == []


async def test_an_address_where_nobody_is_is_named() -> None:
    clock = FakeClock(NOW)
    made = Rig("ws://127.0.0.1:1", clock)
    made.stream.follow(["BTC-USD"])
    running = asyncio.create_task(made.stream.run(made.handle))
    await made.until(lambda: made.stream.status.state == "down")
    assert made.stream.status.detail.startswith("cannot reach ws://127.0.0.1:1: ")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert made.stream.status.state == "stopped"


class Unmoved:
    """A peer that accepts, and then says `frames`; with `hold` it goes on for ever without a word."""

    def __init__(self, *frames: str, hold: bool) -> None:
        self.connects = 0
        self._frames = frames
        self._hold = hold

    @contextlib.asynccontextmanager
    async def __call__(self, url: str) -> AsyncIterator[Connection]:
        self.connects += 1
        self._left = list(self._frames)
        yield self

    async def send(self, message: str) -> None:
        assert message

    async def recv(self) -> str:
        if self._left:
            return self._left.pop(0)
        if self._hold:
            await asyncio.Event().wait()
        raise ConnectionResetError("closed at once")


class Dice(random.Random):
    """Remembers between what it was asked to choose, and chooses the shortest wait."""

    def __init__(self) -> None:
        super().__init__(1)
        self.ceilings: list[float] = []

    def uniform(self, a: float, b: float) -> float:
        self.ceilings.append(b)
        return a


SUBSCRIBED = '{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTC-USD"]}]}'
MATCH = (
    '{"type":"match","trade_id":1,"side":"buy","size":"1","price":"1",'
    '"product_id":"BTC-USD","time":"2026-08-09T12:00:00.000000Z"}'
)


@pytest.mark.parametrize(
    ("frames", "grows"), [((), True), ((SUBSCRIBED,), True), ((SUBSCRIBED, MATCH), False)], ids=str
)
async def test_back_off_grows_until_a_market_event_came(frames: tuple[str, ...], grows: bool) -> None:
    """A peer that accepts and closes at once must not be hammered; connecting alone resets nothing."""
    peer, dice = Unmoved(*frames, hold=False), Dice()
    made = Rig("ws://peer", FakeClock(NOW), connect=peer, dice=dice)
    made.stream.follow(["BTC-USD"])
    running = asyncio.create_task(made.stream.run(made.handle))
    await made.until(lambda: len(dice.ceilings) >= 4)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert dice.ceilings[:4] == ([0.01, 0.02, 0.04, 0.05] if grows else [0.01] * 4)


async def test_a_subscription_that_is_never_acknowledged_ends_the_connection() -> None:
    peer = Unmoved(*[MATCH] * 3, hold=True)
    made = Rig("ws://peer", FakeClock(NOW), connect=peer)
    made.exchange.silence_seconds_max = 60
    made.stream.follow(["BTC-USD"])
    running = asyncio.create_task(made.stream.run(made.handle))
    await made.until(lambda: peer.connects >= 2)
    assert "no subscription acknowledged" in made.breaks()[0]
    assert made.stream.status.state != "live"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_stream_that_wants_nothing_does_not_connect() -> None:
    peer = Unmoved(hold=True)
    made = Rig("ws://peer", FakeClock(NOW), connect=peer)
    running = asyncio.create_task(made.stream.run(made.handle))
    await asyncio.sleep(0)
    assert peer.connects == 0
    made.stream.follow(["BTC-USD"])
    await made.until(lambda: peer.connects == 1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
