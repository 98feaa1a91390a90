"""What the contract of adapters needs to know of each exchange: a server that speaks its protocols, and what is true.

Every adapter of the registry has an entry in WIRES; the contract says so, and runs over all of them.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, cast

import msgspec
from aiohttp import web
from marketdata.clock import Clock, FakeClock
from marketdata.exchanges.exchange import LiveTrades
from marketdata.exchanges.registry import ADAPTERS, Adapter, live_trades
from marketdata.model.events import Disconnected, Event, Malformed, Subscribed
from marketdata.model.span import Span
from marketdata.model.trade import Trade
from marketdata.net.line import Patience
from marketdata.net.rest import PacedBudget, Rest
from marketdata.net.stream import Stream
from marketdata.net.streams import LiveStream, live_stream

from local.exchanges import bitfinex_wire
from local.exchanges.bitfinex import bitfinex_simulator
from local.exchanges.coinbase import coinbase_simulator
from local.exchanges.faults import Faults
from local.exchanges.products import PRODUCTS, Product
from local.exchanges.server import Server
from local.exchanges.tape import Tape

NOW = datetime(2026, 8, 9, 21, 5, 30, tzinfo=UTC)
DEADLINE_SECONDS = 20.0
HASTY = Patience(backoff_seconds_first=0.01, backoff_seconds_max=0.05, watch_seconds=0.02, cut_seconds_between=0.05)
_MILLISECOND_NS = 1_000_000

Application = Callable[[Tape, Clock, Faults], web.Application]
Truth = Callable[[Tape, str, Span], list[Trade]]


@dataclass(frozen=True, slots=True)
class Wire:
    """One exchange: its server, and by feed the path of the WebSocket and what is told of a product's trades.

    `symbol_of` spells a product as the exchange does.
    """

    application: Application
    symbol_of: Callable[[Product], str]
    feeds: Mapping[str, tuple[str, Truth]] = field(default_factory=dict)


def _as_traded(tape: Tape, product: str, span: Span) -> list[Trade]:
    return tape.trades(product, span)


def _as_bitfinex(tape: Tape, product: str, span: Span) -> list[Trade]:
    """Its own symbols and ids, and times in milliseconds."""
    symbol = bitfinex_wire.symbol_of(tape.products[product])
    return [
        msgspec.structs.replace(
            one,
            symbol=symbol,
            id=bitfinex_wire.trade_id(product, one.id),
            time_ns=one.time_ns // _MILLISECOND_NS * _MILLISECOND_NS,
        )
        for one in tape.trades(product, span)
    ]


WIRES: Mapping[str, Wire] = MappingProxyType(
    {
        "coinbase": Wire(
            partial(coinbase_simulator, poll_seconds=0.002),
            lambda product: product.symbol,
            {"exchange": ("/exchange", _as_traded), "advanced": ("/advanced", _as_traded)},
        ),
        "bitfinex": Wire(
            partial(bitfinex_simulator, poll_seconds=0.002),
            bitfinex_wire.symbol_of,
            {"trades": ("/ws/2", _as_bitfinex)},
        ),
    }
)
FEEDS = [(exchange, feed) for exchange, adapter in ADAPTERS.items() for feed in adapter.feeds]


class Impatient:
    """An adapter that thinks its exchange talkative."""

    def __init__(self, adapter: LiveTrades, silence_seconds_max: float) -> None:
        self.silence_seconds_max = silence_seconds_max
        self._adapter = adapter

    def session(self) -> "Impatient":
        """As talkative on every connection."""
        return Impatient(self._adapter.session(), self.silence_seconds_max)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)


class Rig:
    """One exchange and its adapter, talking; the clock goes on while somebody waits."""

    def __init__(self, exchange: str, server: Server, tape: Tape, clock: FakeClock, faults: Faults) -> None:
        self.exchange = exchange
        self.wire = WIRES[exchange]
        self.adapter: Adapter = ADAPTERS[exchange]
        self.server = server
        self.tape = tape
        self.clock = clock
        self.faults = faults
        self.events: list[Event] = []
        self.frames: list[str | bytes] = []
        self.symbols = {self.wire.symbol_of(product): product.symbol for product in tape.products.values()}

    def stream(self, feed: str, silence_seconds_max: float | None = None) -> LiveStream:
        """A production stream of that feed, over as many connections as it needs; nothing is heard before `run`."""
        path, _ = self.wire.feeds[feed]
        live = live_trades(self.exchange, feed, self.server.websocket_url(path))
        if silence_seconds_max is not None:
            live = cast(LiveTrades, Impatient(live, silence_seconds_max))

        def make() -> Stream:
            return Stream(live, clock=self.clock, patience=HASTY, on_frame=lambda frame, _: self.frames.append(frame))

        return live_stream(live, make)

    @contextlib.asynccontextmanager
    async def following(
        self, feed: str, *symbols: str, silence_seconds_max: float | None = None
    ) -> AsyncIterator[LiveStream]:
        """The stream while it follows these symbols; silence that is normal at the exchange may be too long here."""
        stream = self.stream(feed, silence_seconds_max)
        stream.follow(symbols)
        task = asyncio.create_task(stream.run(self.events.extend))
        try:
            yield stream
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, happened: Callable[[], object], step: timedelta = timedelta(seconds=0.25)) -> None:
        """Let time pass until it has happened."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not happened():
                self.clock.advance(step)
                await asyncio.sleep(0.005)

    def trades(self, symbol: str | None = None) -> list[Trade]:
        """The trades heard, in the order they came."""
        return [one for one in self.events if isinstance(one, Trade) and symbol in (None, one.symbol)]

    def flowing(self) -> set[str]:
        """What was acknowledged last."""
        said = [one for one in self.events if isinstance(one, Subscribed)]
        return set(said[-1].symbols) if said else set()

    def breaks(self) -> list[Disconnected]:
        """The breaks heard."""
        return [one for one in self.events if isinstance(one, Disconnected)]

    def malformed(self) -> list[Malformed]:
        """What was quarantined."""
        return [one for one in self.events if isinstance(one, Malformed)]

    def truth(self, feed: str, symbol: str, first: Trade) -> list[Trade]:
        """What the exchange told of a symbol from that trade on until a little while ago."""
        start = datetime.fromtimestamp(first.time_ns // 1_000_000_000 - 2, UTC)
        traded = self.wire.feeds[feed][1](self.tape, self.symbols[symbol], Span(start, self.clock.now()))
        return [one for one in traded if one.id >= first.id]

    @cached_property
    def rest(self) -> Rest:
        """Production REST against the server, paced as the registry says, on the rig's clock."""

        def seconds() -> float:
            return (self.clock.now() - NOW).total_seconds()

        def sleep(wait: float) -> None:
            self.clock.advance(timedelta(seconds=wait))

        budget = PacedBudget(self.adapter.requests_per_second, self.adapter.requests_burst, seconds)
        refusals = self.adapter.read_refusal
        return Rest(self.exchange, self.server.url, budget, self.clock, sleep=sleep, read_refusal=refusals)


@contextlib.asynccontextmanager
async def rig(exchange: str, *, seed: int = 7, products: tuple[Product, ...] = PRODUCTS) -> AsyncIterator[Rig]:
    """The exchange of that name, listening."""
    tape, clock, faults = Tape(seed, products), FakeClock(NOW), Faults(seed)
    async with Server(WIRES[exchange].application(tape, clock, faults)) as server:
        made = Rig(exchange, server, tape, clock, faults)
        try:
            yield made
        finally:
            made.rest.close()
