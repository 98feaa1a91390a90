"""One connection's life, against the simulated exchange and against peers that misbehave."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from marketdata.clock import FakeClock
from marketdata.exchanges.coinbase import CoinbaseExchange
from marketdata.exchanges.coinbase_advanced import CoinbaseAdvanced
from marketdata.model.events import CutAnnounced, Disconnected, Event, Heartbeat, Subscribed
from marketdata.model.trade import Trade
from marketdata.net.stream import Connect, Connection, Patience, Stream
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request as WebSocketRequest
from websockets.http11 import Response

from local.exchanges.faults import Faults
from tests.unit.local.exchanges.market import NOW, simulator

DEADLINE_SECONDS = 10.0
HASTY = Patience(
    backoff_seconds_first=0.01,
    backoff_seconds_max=0.05,
    acknowledge_seconds_max=0.3,
    watch_seconds=0.02,
    overlap_seconds=0.05,
    cut_seconds_before=0.1,
    cut_seconds_between=0.05,
)


class Rig:
    """A stream, what it handed out, and the exchange whose clock runs fast while we wait."""

    def __init__(
        self,
        url: str,
        clock: FakeClock,
        *,
        adapter: Callable[[str], CoinbaseExchange | CoinbaseAdvanced] = CoinbaseExchange,
        connect: Connect | None = None,
        dice: random.Random | None = None,
        patience: Patience = HASTY,
    ) -> None:
        self.events: list[Event] = []
        self.frames: list[str | bytes] = []
        self.clock = clock
        self.exchange = adapter(url)
        self.exchange.silence_seconds_max = 0.5
        further = {} if connect is None else {"connect": connect}
        self.stream = Stream(
            self.exchange,
            clock=clock,
            patience=patience,
            random_source=dice or random.Random(1),
            on_frame=lambda frame, _: self.frames.append(frame),
            **further,
        )

    def handle(self, events: Sequence[Event]) -> None:
        self.events.extend(events)

    def trades(self, symbol: str | None = None) -> list[Trade]:
        return [one for one in self.events if isinstance(one, Trade) and symbol in (None, one.symbol)]

    def ids(self) -> list[int]:
        """The ids of the trades, each once, from when they began to flow."""
        return sorted({trade.id for trade in self.trades()})

    def breaks(self) -> list[str]:
        return [one.reason for one in self.events if isinstance(one, Disconnected)]

    async def until(self, happened: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not happened():
                self.clock.advance(timedelta(seconds=0.25))
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def rig(
    *symbols: str,
    faults: Faults | None = None,
    adapter: Callable[[str], CoinbaseExchange | CoinbaseAdvanced] = CoinbaseExchange,
    life_seconds: float | None = None,
) -> AsyncIterator[Rig]:
    clock = FakeClock(NOW)
    async with simulator(clock, faults) as exchange:
        advanced = adapter is CoinbaseAdvanced
        made = Rig(exchange.advanced_url if advanced else exchange.exchange_url, clock, adapter=adapter)
        made.exchange.connection_seconds_max = life_seconds
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
        self.sent: list[str] = []
        self._frames = frames
        self._hold = hold

    @contextlib.asynccontextmanager
    async def __call__(self, url: str) -> AsyncIterator[Connection]:
        self.connects += 1
        self._left = list(self._frames)
        yield self

    async def send(self, message: str) -> None:
        self.sent.append(message)

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


@pytest.mark.parametrize(("status", "waits"), [(418, True), (429, True), (451, False)])
async def test_a_refusal_that_asks_to_wait_is_waited_out_before_the_next_connection(status: int, waits: bool) -> None:
    """A ban grows with every attempt that is made under it."""
    loop, asked = asyncio.get_running_loop(), list[float]()

    def refuse(_: ServerConnection, __: WebSocketRequest) -> Response:
        asked.append(loop.time())
        return Response(status, "no", Headers({"Retry-After": "0.3", "Content-Length": "0"}))

    async with serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, process_request=refuse) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        made = Rig(f"ws://127.0.0.1:{port}", FakeClock(NOW), dice=Dice())
        made.stream.follow(["BTC-USD"])
        running = asyncio.create_task(made.stream.run(made.handle))
        await made.until(lambda: len(asked) >= 2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert (asked[1] - asked[0] >= 0.3) is waits
    assert f"HTTP {status}" in made.breaks()[0]


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


# Planned cuts


def unbroken(ids: Sequence[int]) -> bool:
    return list(ids) == list(range(ids[0], ids[0] + len(ids)))


@pytest.mark.slow
@pytest.mark.parametrize("adapter", [CoinbaseExchange, CoinbaseAdvanced])
async def test_a_connection_of_limited_life_is_replaced_before_it_ends_and_nothing_is_lost(
    adapter: Callable[[str], CoinbaseExchange | CoinbaseAdvanced],
) -> None:
    async with rig("BTC-USD", adapter=adapter, life_seconds=0.5) as made:
        await made.until(lambda: made.stream.status.cuts >= 3)
        before = len(made.ids())
        await made.until(lambda: len(made.ids()) > before + 2)
        assert made.breaks() == []
        assert unbroken(made.ids())
        assert made.stream.status.state == "live"
        assert made.stream.status.subscribed == {"BTC-USD"}


class Announcing(CoinbaseExchange):
    """An exchange that says when it is about to end connections."""

    def decode(self, frame: str | bytes, received_at: datetime | None) -> Sequence[Event]:
        if b"serverShutdown" in (frame.encode() if isinstance(frame, str) else frame):
            return (CutAnnounced("serverShutdown"),)
        return super().decode(frame, received_at)


async def test_an_announced_cut_is_made_before_the_exchange_makes_it() -> None:
    faults = Faults()
    async with rig("BTC-USD", faults=faults, adapter=Announcing) as made:
        await made.until(lambda: len(made.trades()) > 2)
        faults.inject('{"e":"serverShutdown","E":1770123456789}')
        await made.until(lambda: made.stream.status.cuts == 1)
        before = len(made.ids())
        await made.until(lambda: len(made.ids()) > before + 2)
        assert made.breaks() == []
        assert unbroken(made.ids())


async def test_the_old_connection_stays_while_no_next_one_can_be_had() -> None:
    faults = Faults()
    async with rig("BTC-USD", faults=faults) as made:
        await made.until(lambda: len(made.trades()) > 2)
        faults.refuse_connections()
        made.stream.renew()
        before = len(made.ids())
        await made.until(lambda: len(made.ids()) > before + 10)
        assert made.stream.status.cuts == 0
        faults.heal()
        await made.until(lambda: made.stream.status.cuts == 1)
        assert made.breaks() == []
        assert unbroken(made.ids())


class Peers:
    """Peers that say what they are told to, one for each connection; `ended` are the numbers of those that end."""

    def __init__(self, *scripts: Sequence[str]) -> None:
        self.scripts = [list(script) for script in scripts]
        self.ended: set[int] = set()
        self.closed: list[int] = []
        self.opened = 0

    @contextlib.asynccontextmanager
    async def __call__(self, url: str) -> AsyncIterator[Connection]:
        number = min(self.opened, len(self.scripts) - 1)
        self.opened += 1
        try:
            yield Peer(self, number)
        finally:
            self.closed.append(number)


class Peer:
    def __init__(self, peers: Peers, number: int) -> None:
        self._peers = peers
        self._number = number

    async def send(self, message: str) -> None:
        assert message

    async def recv(self) -> str:
        while self._number not in self._peers.ended:
            if self._peers.scripts[self._number]:
                return self._peers.scripts[self._number].pop(0)
            await asyncio.sleep(0.005)
        raise ConnectionResetError("ended")


@contextlib.asynccontextmanager
async def among(peers: Peers) -> AsyncIterator[Rig]:
    made = Rig("ws://peers", FakeClock(NOW), connect=peers)
    made.exchange.silence_seconds_max = 60
    made.stream.follow(["BTC-USD"])
    running = asyncio.create_task(made.stream.run(made.handle))
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_the_old_connection_is_closed_only_when_the_new_one_is_acknowledged_and_speaks() -> None:
    peers = Peers([SUBSCRIBED, MATCH], [])
    async with among(peers) as made:
        await made.until(made.trades)
        made.stream.renew()
        await made.until(lambda: peers.opened == 2)
        peers.scripts[1].append(MATCH)
        await made.until(lambda: len(made.trades()) == 2)
        assert peers.closed == []
        peers.scripts[1].append(SUBSCRIBED)
        await made.until(lambda: sum(isinstance(one, Subscribed) for one in made.events) == 2)
        assert peers.closed == []
        peers.scripts[1].append(MATCH)
        await made.until(lambda: peers.closed == [0])
        assert made.breaks() == []


async def test_an_old_connection_that_ends_too_early_is_a_break_from_which_the_next_one_goes_on() -> None:
    peers = Peers([SUBSCRIBED, MATCH], [SUBSCRIBED])
    async with among(peers) as made:
        await made.until(made.trades)
        made.stream.renew()
        await made.until(lambda: sum(isinstance(one, Subscribed) for one in made.events) == 2)
        peers.ended.add(0)
        await made.until(made.breaks)
        peers.scripts[1].append(MATCH)
        await made.until(lambda: made.stream.status.state == "live")
        assert peers.opened == 2
        # After the break the exchange's word on what flows is said again: it was given before.
        after = made.events[[type(one) for one in made.events].index(Disconnected) :]
        assert after[1] == Subscribed(("BTC-USD",))


async def test_a_cut_announced_by_every_connection_does_not_make_them_change_without_rest() -> None:
    cut = '{"e":"serverShutdown"}'
    peers = Peers(*[[SUBSCRIBED, MATCH, cut, MATCH] for _ in range(50)])
    patience = replace(HASTY, overlap_seconds=0.0, cut_seconds_between=0.1)
    made = Rig("ws://peers", FakeClock(NOW), connect=peers, adapter=Announcing, patience=patience)
    made.exchange.silence_seconds_max = 60
    made.stream.follow(["BTC-USD"])
    running = asyncio.create_task(made.stream.run(made.handle))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await made.until(lambda: made.stream.status.cuts >= 4)
    assert loop.time() - begun >= 4 * patience.cut_seconds_between
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_symbol_is_asked_for_anew_on_the_open_connection() -> None:
    async with rig("BTC-USD", "ETH-USD") as made:
        await made.until(lambda: made.trades("BTC-USD") and made.trades("ETH-USD"))
        made.events.clear()
        made.stream.resubscribe("BTC-USD")
        await made.until(lambda: Subscribed(("ETH-USD",)) in made.events)
        await made.until(lambda: Subscribed(("BTC-USD", "ETH-USD")) in made.events)
        await made.until(lambda: made.trades("BTC-USD"))
        assert made.breaks() == []


async def test_a_renewed_subscription_that_is_not_acknowledged_is_asked_for_again() -> None:
    both = SUBSCRIBED.replace('"BTC-USD"', '"BTC-USD","ETH-USD"')
    peer = Unmoved(both, MATCH, hold=True)
    made = Rig("ws://peer", FakeClock(NOW), connect=peer, patience=replace(HASTY, ask_again_seconds=0.2))
    made.exchange.silence_seconds_max = 60
    made.stream.follow(["BTC-USD", "ETH-USD"])
    running = asyncio.create_task(made.stream.run(made.handle))
    await made.until(made.trades)
    peer.sent.clear()
    made.stream.resubscribe("BTC-USD")
    await made.until(lambda: len(peer.sent) >= 3)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    asked = [(frame["type"], frame["product_ids"]) for frame in map(json.loads, peer.sent)]
    assert asked[:3] == [("unsubscribe", ["BTC-USD"]), ("subscribe", ["BTC-USD"]), ("subscribe", ["BTC-USD"])]
    assert peer.connects == 1


async def test_a_stall_at_coinbase_is_noticed_within_four_seconds() -> None:
    """By the adapter's own figures and the watchdog's: a heartbeat is due each second, and two may be lost."""
    for adapter in (CoinbaseExchange(), CoinbaseAdvanced()):
        assert adapter.silence_seconds_max > 3.0
        assert adapter.silence_seconds_max + 2 * Patience().watch_seconds <= 4.0
    faults = Faults()
    async with rig("BTC-USD", faults=faults) as made:
        await made.until(lambda: any(isinstance(one, Heartbeat) for one in made.events))
        faults.fall_silent()
        loop = asyncio.get_running_loop()
        silent_since = loop.time()
        await made.until(made.breaks)
        assert loop.time() - silent_since < made.exchange.silence_seconds_max + 1.0
        assert made.stream.status.state in ("stale", "connecting")
