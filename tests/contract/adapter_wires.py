"""What the contract of adapters needs to know of each exchange: a server that speaks its protocols, and what is true.

Every adapter of the registry has an entry in WIRES; the contract says so, and runs over all of them.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, cast

import msgspec
from aiohttp import web
from marketdata.clock import Clock, FakeClock
from marketdata.exchanges.exchange import LiveTrades, Request
from marketdata.exchanges.oanda import OandaPricing
from marketdata.exchanges.registry import ADAPTERS, Adapter, live_trades
from marketdata.model.events import Disconnected, Event, Malformed, Subscribed
from marketdata.model.quote import Quote
from marketdata.model.span import Span
from marketdata.model.trade import Trade
from marketdata.net.connection import Connect, connect_websocket
from marketdata.net.http_lines import connect_lines
from marketdata.net.line import Patience
from marketdata.net.rest import PacedBudget, Rest
from marketdata.net.stream import Stream
from marketdata.net.streams import LiveStream, live_stream

from local.exchanges import bitfinex_wire, oanda_wire, synthetic
from local.exchanges.binance import binance_simulator
from local.exchanges.binance_market import BinanceMarket, aggregated, spelling
from local.exchanges.bitfinex import bitfinex_simulator
from local.exchanges.coinbase import coinbase_simulator
from local.exchanges.coingecko import coingecko_simulator
from local.exchanges.faults import Faults
from local.exchanges.oanda import oanda_simulator
from local.exchanges.products import PRODUCTS, Product
from local.exchanges.server import Server
from local.exchanges.synthetic import synthetic_simulator
from local.exchanges.tape import Tape

NOW = datetime(2026, 8, 9, 21, 5, 30, tzinfo=UTC)
DEADLINE_SECONDS = 20.0
LISTED = NOW - timedelta(hours=1)
"""Since when Binance's streams tell of trades: they number aggregates from the first one on."""
LISTED_LONG_AGO = NOW - timedelta(weeks=5)
HASTY = Patience(backoff_seconds_first=0.01, backoff_seconds_max=0.05, watch_seconds=0.02, cut_seconds_between=0.05)
_MILLISECOND_NS = 1_000_000

Told = Trade | Quote
Application = Callable[[Tape, Clock, Faults], web.Application]
Truth = Callable[[Tape, str, Span], Sequence[Told]]
Outline = tuple[Decimal, Decimal, Decimal, Decimal, Decimal]
"""Open, high, low, close, volume."""


def _as_folded(tape: Tape, product: str, span: Span) -> Outline | None:
    bar = tape.bar(product, span)
    return None if bar is None else (bar.open, bar.high, bar.low, bar.close, bar.volume)


@dataclass(frozen=True, slots=True)
class Wire:
    """One exchange: its server, and by feed the path of the WebSocket and what is told of a product's trades.

    `symbol_of` spells a product as the exchange does; `past` is the server to ask of longer ago, where that is another
    one; `outline` is a candle of the exchange, if there was anything in the span; `headers` are those of one whom the
    exchange knows.
    """

    application: Application
    symbol_of: Callable[[Product], str]
    feeds: Mapping[str, tuple[str, Truth]] = field(default_factory=dict)
    past: Application | None = None
    refuses_unlisted: bool = True
    """Whether asking for a symbol that is not listed is answered by an error, or by silence."""
    outline: Callable[[Tape, str, Span], Outline | None] = _as_folded
    headers: tuple[tuple[str, str], ...] = ()
    door: Callable[[Server], tuple[LiveTrades, Connect]] | None = None
    """What speaks to the exchange, and through what, where that is no WebSocket."""


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


def _as_binance(tape: Tape, product: str, span: Span) -> list[Trade]:
    """Its own symbols and ids, and times in milliseconds."""
    market, symbol = BinanceMarket(tape, LISTED), spelling(tape.products[product])
    return [_in_milliseconds(one) for one in market.trades(symbol, span.start, span.end)]


def _as_binance_aggregates(tape: Tape, product: str, span: Span) -> list[Trade]:
    """The trades of one order at one price and moment as one."""
    market, symbol = BinanceMarket(tape, LISTED), spelling(tape.products[product])
    return [_in_milliseconds(one) for one in aggregated(market.trades(symbol, span.start, span.end))]


def _in_milliseconds(trade: Trade) -> Trade:
    return msgspec.structs.replace(trade, time_ns=trade.time_ns // _MILLISECOND_NS * _MILLISECOND_NS)


def _as_oanda(tape: Tape, product: str, span: Span) -> list[Quote]:
    """The prices around the last trade of each quarter of a second that is over."""
    listed = tape.products[product]
    step, symbol = oanda_wire.spread(listed), oanda_wire.instrument(listed)
    told = oanda_wire.sample(tape, product, span.start, oanda_wire.window_start(span.end))
    return [Quote(symbol, one.time_ns, one.price - step, one.price + step) for one in told]


def _as_oanda_candles(tape: Tape, product: str, span: Span) -> Outline | None:
    """Candles of the middle; the volume is how many prices there were."""
    folded = _as_folded(tape, product, span)
    return None if folded is None else (*folded[:4], Decimal(oanda_wire.prices_of(tape, product, span)))


_OANDA_KNOWS = (("Authorization", f"Bearer {oanda_wire.TOKEN}"),)


def _oanda_door(server: Server) -> tuple[LiveTrades, Connect]:
    pricing = OandaPricing(server.url, account=oanda_wire.ACCOUNT)
    return pricing, connect_lines(pricing.stream_request, dict(_OANDA_KNOWS))


def _as_synthetic_quotes(tape: Tape, product: str, span: Span) -> list[Quote]:
    """The prices around the last trade of each moment."""
    step = synthetic.spread(tape.products[product])
    newest = {one.time_ns: one.price for one in tape.trades(product, span)}
    return [Quote(product, time_ns, price - step, price + step) for time_ns, price in newest.items()]


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
        "binance": Wire(
            partial(binance_simulator, listed_at=LISTED, poll_seconds=0.002),
            spelling,
            {"trade": ("", _as_binance), "aggTrade": ("", _as_binance_aggregates)},
            past=partial(binance_simulator, listed_at=LISTED_LONG_AGO),
            refuses_unlisted=False,
        ),
        "oanda": Wire(
            partial(oanda_simulator, poll_seconds=0.002),
            oanda_wire.instrument,
            {"pricing": ("", _as_oanda)},
            outline=_as_oanda_candles,
            headers=_OANDA_KNOWS,
            door=_oanda_door,
        ),
        "synthetic": Wire(
            partial(synthetic_simulator, poll_seconds=0.002),
            lambda product: product.symbol,
            {"trades": ("/trades", _as_traded)},
        ),
        "synthetic_quotes": Wire(
            partial(synthetic_simulator, poll_seconds=0.002),
            lambda product: product.symbol,
            {"quotes": ("/quotes", _as_synthetic_quotes)},
            outline=_as_oanda_candles,
        ),
        # No feeds and no past: test_snapshot_sources.
        "coingecko": Wire(coingecko_simulator, lambda product: product.symbol),
    }
)
FEEDS = [(exchange, feed) for exchange, adapter in ADAPTERS.items() for feed in adapter.feeds]
FEEDS_OF_TRADES = [(exchange, feed) for exchange, feed in FEEDS if ADAPTERS[exchange].usual_side is None]


def number(told: Told) -> int:
    """What tells one from another of the same symbol."""
    return told.id if isinstance(told, Trade) else told.time_ns


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
        live, connect = self._door(feed)
        if silence_seconds_max is not None:
            live = cast(LiveTrades, Impatient(live, silence_seconds_max))

        def make() -> Stream:
            return Stream(
                live,
                clock=self.clock,
                connect=connect,
                patience=HASTY,
                on_frame=lambda frame, _: self.frames.append(frame),
            )

        return live_stream(live, make)

    def _door(self, feed: str) -> tuple[LiveTrades, Connect]:
        if self.wire.door is not None:
            return self.wire.door(self.server)
        path, _ = self.wire.feeds[feed]
        return live_trades(self.exchange, feed, self.server.websocket_url(path)), connect_websocket

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

    def told(self, symbol: str | None = None) -> list[Told]:
        """The trades or quotes heard, in the order they came."""
        return [one for one in self.events if isinstance(one, Trade | Quote) and symbol in (None, one.symbol)]

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

    def truth(self, feed: str, symbol: str, first: Told) -> list[Told]:
        """What the exchange told of a symbol from that trade on until a little while ago."""
        start = datetime.fromtimestamp(first.time_ns // 1_000_000_000 - 2, UTC)
        traded = self.wire.feeds[feed][1](self.tape, self.symbols[symbol], Span(start, self.clock.now()))
        return [one for one in traded if number(one) >= number(first)]

    @cached_property
    def rest(self) -> Rest:
        """Production REST against the server, paced as the registry says, on the rig's clock."""

        def seconds() -> float:
            return (self.clock.now() - NOW).total_seconds()

        def sleep(wait: float) -> None:
            self.clock.advance(timedelta(seconds=wait))

        budget = PacedBudget(self.adapter.requests_per_second, self.adapter.requests_burst, seconds)
        return Rest(
            self.exchange,
            self.server.url,
            budget,
            self.clock,
            sleep=sleep,
            read_refusal=self.adapter.read_refusal,
            weights=self.adapter.weights,
        )

    def signed(self, request: Request) -> Request:
        """As one whom the exchange knows asks."""
        return replace(request, headers=(*request.headers, *self.wire.headers))

    def get(self, request: Request) -> bytes:
        """Ask so."""
        return self.rest.get(self.signed(request))


@contextlib.asynccontextmanager
async def rig(
    exchange: str, *, seed: int = 7, products: tuple[Product, ...] = PRODUCTS, past: bool = False
) -> AsyncIterator[Rig]:
    """The exchange of that name, listening; with `past`, the server to ask of weeks ago."""
    tape, clock, faults = Tape(seed, products), FakeClock(NOW), Faults(seed)
    wire = WIRES[exchange]
    application = wire.past if past and wire.past is not None else wire.application
    async with Server(application(tape, clock, faults)) as server:
        made = Rig(exchange, server, tape, clock, faults)
        try:
            yield made
        finally:
            made.rest.close()
