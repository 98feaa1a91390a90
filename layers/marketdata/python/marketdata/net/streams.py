"""Several connections of one exchange that look like one stream, for exchanges that bound what one connection carries.

A symbol keeps its connection for as long as it is followed. A break is told of the symbols of its connection alone.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from marketdata.exchanges.exchange import LiveTrades
from marketdata.model.events import Disconnected, Event, Subscribed
from marketdata.net.line import Handler, StreamStatus
from marketdata.net.stream import Stream

logger = logging.getLogger(__name__)

CONNECTIONS_MAX = 16
"""Bitfinex allows 20 new connections a minute, and a planned cut needs one for a moment."""

_WORST_FIRST = ("down", "stale", "connecting", "stopped", "live")


class LiveStream(Protocol):
    """What a follower needs of a stream, over one connection or several."""

    @property
    def exchange(self) -> LiveTrades:
        """Whose stream it is."""
        ...

    @property
    def status(self) -> StreamStatus:
        """How it is."""
        ...

    def follow(self, symbols: Collection[str]) -> None:
        """Want exactly these symbols from now on."""
        ...

    def resubscribe(self, symbol: str) -> None:
        """Unsubscribe a symbol and subscribe it again."""
        ...

    def renew(self) -> None:
        """Replace every open connection, without a break."""
        ...

    async def run(self, handle: Handler) -> None:
        """Live until cancelled, handing every event to `handle`."""
        ...


class Streams:
    """One stream over as many connections as the exchange asks for. `make_stream` makes what lives on one of them."""

    def __init__(self, exchange: LiveTrades, make_stream: Callable[[], Stream], symbols_max: int) -> None:
        self.exchange = exchange
        self._make_stream = make_stream
        self._symbols_max = symbols_max
        self._streams: list[Stream] = []
        self._symbols: list[set[str]] = []
        self._flowing: list[tuple[str, ...]] = []
        self._grown = asyncio.Event()
        self._refused = ""

    @property
    def status(self) -> StreamStatus:
        """As well as the worst of the connections; counts are of them together, a connect is what all of them made."""
        each = [stream.status for stream in self._streams]
        if not each:
            return StreamStatus()
        worst = min(each, key=lambda one: _WORST_FIRST.index(one.state))
        return StreamStatus(
            state=worst.state,
            detail=worst.detail or next((one.detail for one in each if one.detail), ""),
            last_message_at=max((one.last_message_at for one in each if one.last_message_at), default=None),
            subscribed=frozenset().union(*(one.subscribed for one in each)),
            connects=sum(max(0, one.connects - 1) for one in each) + any(one.connects for one in each),
            cuts=sum(one.cuts for one in each),
            malformed=sum(one.malformed for one in each),
            refused=self._refused or next((one.refused for one in each if one.refused), ""),
        )

    def follow(self, symbols: Collection[str]) -> None:
        """Want exactly these symbols from now on; what no connection has room for is refused, see `status`."""
        for held in self._symbols:
            held.intersection_update(symbols)
        new = sorted(set(symbols).difference(*self._symbols))
        room = CONNECTIONS_MAX * self._symbols_max - sum(len(held) for held in self._symbols)
        self._refuse(new[room:])
        for symbol in new[:room]:
            self._with_room().add(symbol)
        for stream, held in zip(self._streams, self._symbols, strict=True):
            stream.follow(held)

    def _refuse(self, symbols: Sequence[str]) -> None:
        refused = f"no room on {CONNECTIONS_MAX} connections for {', '.join(symbols[:10])}" if symbols else ""
        if refused and refused != self._refused:
            logger.error("too many symbols", extra={"exchange": self.exchange.name, "refused": len(symbols)})
        self._refused = refused

    def _with_room(self) -> set[str]:
        held = next((held for held in self._symbols if len(held) < self._symbols_max), None)
        if held is None:
            held = set()
            self._streams.append(self._make_stream())
            self._symbols.append(held)
            self._flowing.append(())
            self._grown.set()
        return held

    def resubscribe(self, symbol: str) -> None:
        """Unsubscribe a symbol and subscribe it again, on its connection."""
        for stream, held in zip(self._streams, self._symbols, strict=True):
            if symbol in held:
                stream.resubscribe(symbol)

    def renew(self) -> None:
        """Replace every open connection by a new one, without a break."""
        for stream in self._streams:
            stream.renew()

    async def run(self, handle: Handler) -> None:
        """Live until cancelled, handing every event to `handle`; the first bug of any connection ends them all."""
        async with asyncio.TaskGroup() as running:
            started = 0
            while True:
                self._grown.clear()
                for number in range(started, len(self._streams)):
                    running.create_task(self._streams[number].run(self._telling(number, handle)))
                started = len(self._streams)
                await self._grown.wait()

    def _telling(self, number: int, handle: Handler) -> Handler:
        """What one connection says of all its symbols, it says of no others."""

        def tell(events: Sequence[Event]) -> None:
            if any(isinstance(event, Subscribed | Disconnected) for event in events):
                events = [self._for_all(number, event) for event in events]
            handle(events)

        return tell

    def _for_all(self, number: int, event: Event) -> Event:
        if isinstance(event, Subscribed):
            self._flowing[number] = event.symbols
            return Subscribed(tuple(sorted(symbol for flowing in self._flowing for symbol in flowing)))
        if isinstance(event, Disconnected):
            lost = frozenset(self._flowing[number]) | self._symbols[number]
            self._flowing[number] = ()
            return Disconnected(event.reason, lost)
        return event


def live_stream(exchange: LiveTrades, make_stream: Callable[[], Stream]) -> LiveStream:
    """The stream of an exchange, over one connection or as many as it needs."""
    most = exchange.symbols_per_connection_max
    return make_stream() if most is None else Streams(exchange, make_stream, most)
