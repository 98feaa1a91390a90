"""One connection's life, the same for every exchange: connect, subscribe, read, doubt, reconnect.

The follower (jobs/follow_live) says which symbols it wants and is handed every event, in order, on the event loop's
thread. A disconnect is handed out as an event like any other. Faults and what must hold: docs/architecture.md.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websockets_connect
from websockets.exceptions import InvalidHandshake, InvalidURI, WebSocketException

from marketdata.clock import Clock
from marketdata.errors import RemoteMalformed
from marketdata.exchanges.exchange import LiveTrades
from marketdata.model.events import Disconnected, Event, Heartbeat, Malformed, Refused, Subscribed
from marketdata.model.trade import Trade

logger = logging.getLogger(__name__)

FRAME_BYTES_MAX = 16 * 2**20
"""Advanced Trade's largest known frame is 5.1 MB."""

Handler = Callable[[Sequence[Event]], None]


class Connection(Protocol):
    """An open WebSocket: the door behind which a faster transport may come later."""

    async def send(self, message: str) -> None:
        """Send one text frame."""
        ...

    async def recv(self) -> str | bytes:
        """The next frame. Raises: WebSocketException or OSError when the connection is over."""
        ...


Connect = Callable[[str], contextlib.AbstractAsyncContextManager[Connection]]


@contextlib.asynccontextmanager
async def connect_websocket(url: str) -> AsyncIterator[Connection]:
    """Open a WebSocket with bounded frames, queue and waiting."""
    async with websockets_connect(
        url, max_size=FRAME_BYTES_MAX, max_queue=64, open_timeout=10, close_timeout=2, ping_interval=20, ping_timeout=20
    ) as connection:
        yield _WebSocket(connection)


@dataclass(frozen=True, slots=True)
class _WebSocket:
    _connection: ClientConnection

    async def send(self, message: str) -> None:
        await self._connection.send(message)

    async def recv(self) -> bytes:
        # Undecoded: the JSON decoder reads bytes, and checks their UTF-8 itself.
        return await self._connection.recv(decode=False)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a stream waits for what, in seconds."""

    backoff_seconds_first: float = 0.5
    backoff_seconds_max: float = 30.0
    acknowledge_seconds_max: float = 5.0
    ask_again_seconds: float = 30.0
    watch_seconds: float = 0.25
    send_seconds_between: float = 0.02


@dataclass(slots=True)
class StreamStatus:
    """What the world may know of a stream. `state`: connecting, live, stale, down or stopped."""

    state: str = "connecting"
    detail: str = ""
    last_message_at: datetime | None = None
    subscribed: frozenset[str] = frozenset()
    connects: int = 0
    malformed: int = 0
    refused: str = ""


class Silence(WebSocketException):
    """The connection is open, but the exchange has not spoken for too long."""


class Stream:
    """The live stream of one exchange over one connection at a time."""

    def __init__(
        self,
        exchange: LiveTrades,
        *,
        clock: Clock,
        connect: Connect = connect_websocket,
        patience: Patience | None = None,
        random_source: random.Random | None = None,
        on_frame: Callable[[str | bytes, datetime], None] | None = None,
    ) -> None:
        self.exchange = exchange
        self.status = StreamStatus()
        self._clock = clock
        self._connect = connect
        self._patience = patience or Patience()
        self._random = random_source or random.Random()
        self._on_frame = on_frame
        self._wanted: tuple[str, ...] = ()
        self._asked: set[str] = set()
        self._changed = asyncio.Event()
        self._attempt = 0
        self._one_by_one = False
        self._heard = 0.0
        self._asked_at = 0.0

    def follow(self, symbols: Collection[str]) -> None:
        """Want exactly these symbols from now on; an open connection subscribes to what is new without a break."""
        wanted = tuple(sorted(set(symbols)))
        if wanted != self._wanted:
            self._wanted = wanted
            self._changed.set()

    async def run(self, handle: Handler) -> None:
        """Live until cancelled, handing every event to `handle`."""
        try:
            while True:
                await self._wait_for_wishes()
                reason = await self._live_once(handle)
                self.status.subscribed = frozenset()
                handle((Disconnected(reason),))
                await self._back_off(reason)
        finally:
            self.status.state = "stopped"

    async def _wait_for_wishes(self) -> None:
        while not self._wanted:
            self._changed.clear()
            await self._changed.wait()

    async def _live_once(self, handle: Handler) -> str:
        """One connection from first to last frame; returns why it ended."""
        self.status.state = "connecting"
        try:
            async with self._connect(self.exchange.url()) as connection:
                self.status.connects += 1
                self._asked.clear()
                self._touch()
                await self._converse(connection, handle)
        except (OSError, WebSocketException, InvalidHandshake, InvalidURI, TimeoutError, EOFError) as error:
            return self._reason(error)
        return "the connection ended"

    async def _converse(self, connection: Connection, handle: Handler) -> None:
        """Read, ask and watch at once; the first to fail ends all three."""
        tasks = [
            asyncio.ensure_future(work)
            for work in (self._read(connection, handle), self._ask(connection), self._watch())
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _read(self, connection: Connection, handle: Handler) -> None:
        decode, clock = self.exchange.decode, self._clock
        while True:
            frame = await connection.recv()
            received_at = clock.now()
            self._touch()
            self.status.last_message_at = received_at
            if self._on_frame is not None:
                self._on_frame(frame, received_at)
            try:
                events = decode(frame, received_at)
            except RemoteMalformed as error:
                events = (Malformed(error.reason, error.excerpt),)
            for event in events:
                kind = type(event)
                if kind is Trade or kind is Heartbeat:
                    self._note_alive()
                else:
                    self._note(event)
            handle(events)

    def _note_alive(self) -> None:
        # Back-off resets here and not on connect: a peer that accepts and closes at once must not be hammered.
        self._attempt = 0
        if self.status.subscribed:
            self.status.state = "live"
            self.status.detail = ""

    def _note(self, event: Event) -> None:
        if isinstance(event, Subscribed):
            self.status.subscribed = frozenset(event.symbols)
        elif isinstance(event, Malformed):
            self.status.malformed += 1
        elif isinstance(event, Refused):
            self.status.refused = event.reason
            logger.warning("exchange refused", extra={"exchange": self.exchange.name, "reason": event.reason})
            if not self._one_by_one:
                self._one_by_one = True
                self._ask_again()

    async def _ask(self, connection: Connection) -> None:
        """Keep what is subscribed equal to what is wanted."""
        while True:
            self._changed.clear()
            new = [symbol for symbol in self._wanted if symbol not in self._asked]
            old = sorted(self._asked.difference(self._wanted))
            self._asked = set(self._wanted)
            self._asked_at = asyncio.get_running_loop().time()
            # One bad symbol makes an exchange refuse the whole request: after a refusal each is asked for alone.
            for symbols in [[symbol] for symbol in new] if self._one_by_one else [new] if new else []:
                await self._send(connection, self.exchange.subscribe(symbols))
            if old:
                await self._send(connection, self.exchange.unsubscribe(old))
            await self._changed.wait()

    def _ask_again(self) -> None:
        self._asked &= self.status.subscribed
        self._changed.set()

    async def _send(self, connection: Connection, frames: Sequence[str]) -> None:
        for frame in frames:
            await connection.send(frame)
            await asyncio.sleep(self._patience.send_seconds_between)

    async def _watch(self) -> None:
        """End a connection that is open but silent, or that never acknowledged what was asked."""
        loop, silence_seconds_max = asyncio.get_running_loop(), self.exchange.silence_seconds_max
        while True:
            await asyncio.sleep(self._patience.watch_seconds)
            silence = loop.time() - self._heard
            if silence > silence_seconds_max:
                self.status.state = "stale"
                raise Silence(f"silent for {silence:.1f} s, at most {silence_seconds_max:g} s are normal")
            waited = loop.time() - self._asked_at
            if waited > self._patience.ask_again_seconds and not self.status.subscribed.issuperset(self._wanted):
                self._ask_again()
            if not self.status.subscribed and waited > self._patience.acknowledge_seconds_max:
                refused = f": {self.status.refused}" if self.status.refused else ""
                raise Silence(f"no subscription acknowledged in {self._patience.acknowledge_seconds_max:g} s{refused}")

    async def _back_off(self, reason: str) -> None:
        """Wait with full jitter, doubling from attempt to attempt."""
        patience = self._patience
        ceiling = min(patience.backoff_seconds_max, patience.backoff_seconds_first * 2 ** min(self._attempt, 16))
        delay = self._random.uniform(0, ceiling)
        self._attempt += 1
        self.status.state = "down"
        self.status.detail = reason
        logger.warning(
            "connection ended",
            extra={"exchange": self.exchange.name, "reason": reason, "retry_seconds": round(delay, 2)},
        )
        await asyncio.sleep(delay)

    def _touch(self) -> None:
        self._heard = asyncio.get_running_loop().time()

    def _reason(self, error: Exception) -> str:
        """What a person reads: who could not be reached or who stopped talking, and why."""
        if isinstance(error, Silence):
            return str(error)
        if isinstance(error, WebSocketException) and not isinstance(error, InvalidHandshake | InvalidURI):
            return f"connection lost: {error}"
        why = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
        return f"cannot reach {self.exchange.url()}: {why}"
