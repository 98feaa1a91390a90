"""One connection to an exchange, from its opening to its end: it reads, asks and doubts. Made by net/stream.

While a planned cut is made there are two for a moment: the one that leads says what the stream's status is.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI, WebSocketException

from marketdata.clock import Clock
from marketdata.errors import RemoteMalformed
from marketdata.exchanges.exchange import LiveTrades
from marketdata.model.events import CutAnnounced, Event, Heartbeat, Malformed, Paused, Refused, Subscribed
from marketdata.model.quote import Quote
from marketdata.model.trade import Trade
from marketdata.net.connection import Connect, Connection
from marketdata.net.retry_after import asked_wait

logger = logging.getLogger(__name__)

Handler = Callable[[Sequence[Event]], None]
OnFrame = Callable[[str | bytes, datetime], None]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a stream waits for what, in seconds."""

    backoff_seconds_first: float = 0.5
    backoff_seconds_max: float = 10.0
    acknowledge_seconds_max: float = 5.0
    ask_again_seconds: float = 30.0
    watch_seconds: float = 0.25
    send_seconds_between: float = 0.02
    pause_seconds_max: float = 4 * 3_600.0
    """How long a connection may be silent once the exchange said that it trades nothing for a while."""
    overlap_seconds: float = 2.0
    """How long the old connection is still heard once the new one speaks: what it has on its way comes in."""
    cut_seconds_before: float = 60.0
    """How long before the end of a connection's life the next one is made."""
    cut_seconds_between: float = 10.0
    """No connection is replaced sooner after it was opened, whatever the exchange announces."""


@dataclass(slots=True)
class StreamStatus:
    """What the world may know of a stream. `state`: connecting, live, stale, down or stopped.

    `connects` counts connections that were opened, `cuts` those of them that took over from another without a loss.
    """

    state: str = "connecting"
    detail: str = ""
    last_message_at: datetime | None = None
    subscribed: frozenset[str] = frozenset()
    connects: int = 0
    cuts: int = 0
    malformed: int = 0
    refused: str = ""


class Silence(WebSocketException):
    """The connection is open, but the exchange has not spoken for too long."""


class Line:
    """One connection. `wanted` says which symbols; events go to `handle`, in order, on the event loop's thread."""

    def __init__(
        self,
        exchange: LiveTrades,
        *,
        status: StreamStatus,
        wanted: Callable[[], Sequence[str]],
        handle: Handler,
        clock: Clock,
        connect: Connect,
        patience: Patience,
        on_frame: OnFrame | None,
        one_by_one: bool,
    ) -> None:
        self.leads = False
        """Whether the stream's status is what this connection says."""
        self.subscribed: frozenset[str] = frozenset()
        self.spoke = False
        """Whether a market event was decoded."""
        self.went_silent = False
        self.wait_seconds = 0.0
        """How long the exchange asked to be left alone when it refused the connection."""
        self.paused = ""
        """Why the exchange trades nothing for now, as it said."""
        self.one_by_one = one_by_one
        """One bad symbol makes an exchange refuse the whole request: after a refusal each is asked for alone."""
        self.taken_over: frozenset[str] = frozenset()
        """What must be acknowledged before this connection may take over from another."""
        self.ready = asyncio.Event()
        """All of that is acknowledged, and market events came since."""
        self.cut = asyncio.Event()
        """It is to be replaced: the exchange announced its end, or somebody asked for it."""
        self.opened_at = asyncio.get_running_loop().time()
        self._exchange = exchange
        self._status = status
        self._wanted = wanted
        self._handle = handle
        self._clock = clock
        self._connect = connect
        self._patience = patience
        self._on_frame = on_frame
        self._asked: set[str] = set()
        self._again: set[str] = set()
        self._changed = asyncio.Event()
        self._heard = self._asked_at = self._quiet_until = self.opened_at

    def ask(self) -> None:
        """Make what is subscribed equal to what is wanted, without a break."""
        self._changed.set()

    def ask_anew(self, symbol: str) -> None:
        """Unsubscribe a symbol and subscribe it again."""
        self._again.add(symbol)
        self._changed.set()

    async def run(self) -> str:
        """From the first frame to the last; returns why it ended."""
        try:
            async with self._connect(self._exchange.url()) as connection:
                self._status.connects += 1
                self._touch()
                await self._converse(connection)
        except (OSError, WebSocketException, InvalidHandshake, InvalidURI, TimeoutError, EOFError) as error:
            self.went_silent = isinstance(error, Silence)
            if isinstance(error, InvalidStatus):
                self.wait_seconds = asked_wait(error.response.status_code, error.response.headers.get("Retry-After"))
            return self._reason(error)
        return "the connection ended"

    async def _converse(self, connection: Connection) -> None:
        """Read, ask and watch at once; the first to fail ends all three."""
        tasks = [asyncio.ensure_future(work) for work in (self._read(connection), self._ask(connection), self._watch())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _read(self, connection: Connection) -> None:
        decode, handle, clock, status = self._exchange.decode, self._handle, self._clock, self._status
        while True:
            frame = await connection.recv()
            received_at = clock.now()
            self._touch()
            status.last_message_at = received_at
            if self._on_frame is not None:
                self._on_frame(frame, received_at)
            try:
                events = decode(frame, received_at)
            except RemoteMalformed as error:
                events = (Malformed(error.reason, error.excerpt),)
            for event in events:
                kind = type(event)
                if kind is Trade or kind is Heartbeat or kind is Quote:
                    self._note_alive()
                else:
                    self._note(event)
            handle(events)

    def _note_alive(self) -> None:
        self.spoke = True
        if not self.subscribed:
            return
        if self.leads:
            self._status.state = "live"
            self._status.detail = self.paused
        elif self.subscribed >= self.taken_over:
            self.ready.set()

    def _note(self, event: Event) -> None:
        if isinstance(event, Subscribed):
            self.subscribed = frozenset(event.symbols)
            if self.leads:
                self._status.subscribed = self.subscribed
        elif isinstance(event, Malformed):
            self._status.malformed += 1
        elif isinstance(event, Paused):
            self._note_pause(event.reason)
        elif isinstance(event, CutAnnounced):
            logger.info("exchange announces a cut", extra={"exchange": self._exchange.name, "reason": event.reason})
            self.cut.set()
        elif isinstance(event, Refused):
            self._note_refusal(event.reason)

    def _note_pause(self, reason: str) -> None:
        """One notice, and silence is normal for a while."""
        if not self.paused:
            logger.warning("exchange pauses", extra={"exchange": self._exchange.name, "reason": reason})
        self.paused = reason
        self._quiet_until = asyncio.get_running_loop().time() + self._patience.pause_seconds_max

    def _note_refusal(self, reason: str) -> None:
        self._status.refused = reason
        logger.warning("exchange refused", extra={"exchange": self._exchange.name, "reason": reason})
        if not self.one_by_one:
            self.one_by_one = True
            self._ask_again()

    async def _ask(self, connection: Connection) -> None:
        """Keep what is subscribed equal to what is wanted."""
        while True:
            self._changed.clear()
            again, wanted = sorted(self._again & self._asked), self._wanted()
            self._again.clear()
            self._asked.difference_update(again)
            # What was said before is no answer to this.
            self.subscribed = self.subscribed.difference(again)
            new = [symbol for symbol in wanted if symbol not in self._asked]
            old = sorted({*self._asked.difference(wanted), *again})
            self._asked = set(wanted)
            self._asked_at = asyncio.get_running_loop().time()
            if again:
                await self._send(connection, self._exchange.unsubscribe(old))
            for symbols in [[symbol] for symbol in new] if self.one_by_one else [new] if new else []:
                await self._send(connection, self._exchange.subscribe(symbols))
            if old and not again:
                await self._send(connection, self._exchange.unsubscribe(old))
            await self._changed.wait()

    def _ask_again(self) -> None:
        self._asked &= self.subscribed
        self._changed.set()

    async def _send(self, connection: Connection, frames: Sequence[str]) -> None:
        between = max(self._patience.send_seconds_between, self._exchange.send_seconds_between)
        for frame in frames:
            await connection.send(frame)
            await asyncio.sleep(between)

    async def _watch(self) -> None:
        """End a connection that is open but silent, or that never acknowledged what was asked."""
        loop, silence_seconds_max = asyncio.get_running_loop(), self._exchange.silence_seconds_max
        while True:
            await asyncio.sleep(self._patience.watch_seconds)
            silence = loop.time() - self._heard
            if silence > silence_seconds_max and loop.time() > self._quiet_until:
                raise Silence(f"silent for {silence:.1f} s, at most {silence_seconds_max:g} s are normal")
            waited = loop.time() - self._asked_at
            if waited > self._patience.ask_again_seconds and not self.subscribed.issuperset(self._wanted()):
                self._ask_again()
            if not self.subscribed and waited > self._patience.acknowledge_seconds_max:
                refused = f": {self._status.refused}" if self._status.refused else ""
                raise Silence(f"no subscription acknowledged in {self._patience.acknowledge_seconds_max:g} s{refused}")

    def _touch(self) -> None:
        self._heard = asyncio.get_running_loop().time()

    def _reason(self, error: Exception) -> str:
        """What a person reads: who could not be reached or who stopped talking, and why."""
        if isinstance(error, Silence):
            return str(error)
        if isinstance(error, WebSocketException) and not isinstance(error, InvalidHandshake | InvalidURI):
            return f"connection lost: {error}"
        why = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
        return f"cannot reach {self._exchange.url()}: {why}"
