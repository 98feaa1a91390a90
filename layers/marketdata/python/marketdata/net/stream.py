"""The live stream of one exchange: one connection after another, the same for every exchange.

The follower (jobs/follow_live) says which symbols it wants and is handed every event, in order, on the event loop's
thread. A disconnect is handed out as an event like any other. A planned cut is none: the next connection is opened and
speaks before the old one is closed, so that nothing can fall between them; what both say comes twice and counts once.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Collection

from marketdata.clock import Clock
from marketdata.exchanges.exchange import LiveTrades
from marketdata.model.events import Disconnected, Subscribed
from marketdata.net.connection import Connect, Connection, connect_websocket
from marketdata.net.line import Handler, Line, OnFrame, Patience, Silence, StreamStatus

__all__ = ("Connect", "Connection", "Handler", "Patience", "Silence", "Stream", "StreamStatus", "connect_websocket")

logger = logging.getLogger(__name__)


class Stream:
    """The live stream of one exchange."""

    def __init__(
        self,
        exchange: LiveTrades,
        *,
        clock: Clock,
        connect: Connect = connect_websocket,
        patience: Patience | None = None,
        random_source: random.Random | None = None,
        on_frame: OnFrame | None = None,
    ) -> None:
        self.exchange = exchange
        self.status = StreamStatus()
        self._clock = clock
        self._connect = connect
        self._patience = patience or Patience()
        self._random = random_source or random.Random()
        self._on_frame = on_frame
        self._wanted: tuple[str, ...] = ()
        self._wished = asyncio.Event()
        self._attempt = 0
        self._one_by_one = False
        self._told = ""
        self._lines: dict[Line, asyncio.Task[str]] = {}

    def follow(self, symbols: Collection[str]) -> None:
        """Want exactly these symbols from now on; an open connection subscribes to what is new without a break."""
        wanted = tuple(sorted(set(symbols)))
        if wanted != self._wanted:
            self._wanted = wanted
            self._wished.set()
            for line in self._lines:
                line.ask()

    def resubscribe(self, symbol: str) -> None:
        """Unsubscribe a symbol and subscribe it again, on the open connection."""
        for line in self._lines:
            line.ask_anew(symbol)

    def renew(self) -> None:
        """Replace the open connection by a new one, without a break."""
        for line in self._lines:
            if line.leads:
                line.cut.set()

    async def run(self, handle: Handler) -> None:
        """Live until cancelled, handing every event to `handle`."""
        line: Line | None = None
        try:
            while True:
                if line is None:
                    await self._wait_for_wishes()
                    line = self._open(handle)
                self._lead(line)
                line = await self._live(line, handle)
        finally:
            for each in list(self._lines):
                await self._close(each)
            self.status.state = "stopped"

    async def _wait_for_wishes(self) -> None:
        while not self._wanted:
            self._wished.clear()
            await self._wished.wait()

    def _open(self, handle: Handler) -> Line:
        line = Line(
            self.exchange.session(),
            status=self.status,
            wanted=lambda: self._wanted,
            handle=handle,
            clock=self._clock,
            connect=self._connect,
            patience=self._patience,
            on_frame=self._on_frame,
            one_by_one=self._one_by_one,
        )
        self._lines[line] = asyncio.create_task(line.run())
        return line

    def _lead(self, line: Line) -> None:
        line.leads = True
        self.status.subscribed = line.subscribed
        if not line.ready.is_set():
            self.status.state = "connecting"

    async def _live(self, line: Line, handle: Handler) -> Line | None:
        """Until this connection is over; returns the one that leads from then on, if it is open already."""
        while await self._reaches_cut(line):
            successor = self._open(handle)
            successor.taken_over = line.subscribed.intersection(self._wanted)
            if await self._overlap(line, successor):
                await self._close(line)
                self.status.cuts += 1
                self._attempt = 0
                return successor
            if self._lines[line].done():
                self._lose(line, handle)
                handle((Subscribed(tuple(sorted(successor.subscribed))),))
                return successor
            await self._close(successor)
            await asyncio.wait((self._lines[line],), timeout=self._delay(successor))
        self._lose(line, handle)
        await self._back_off(line)
        return None

    async def _reaches_cut(self, line: Line) -> bool:
        """Wait until the connection is to be replaced; False when it is over before."""
        cut = asyncio.create_task(self._cut(line))
        try:
            await asyncio.wait((self._lines[line], cut), return_when=asyncio.FIRST_COMPLETED)
        finally:
            cut.cancel()
        return not self._lines[line].done()

    async def _cut(self, line: Line) -> None:
        loop, patience = asyncio.get_running_loop(), self._patience
        life = self.exchange.connection_seconds_max
        due = None if life is None else line.opened_at + max(life - patience.cut_seconds_before, life / 2)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                await line.cut.wait()
        await asyncio.sleep(line.opened_at + patience.cut_seconds_between - loop.time())

    async def _overlap(self, line: Line, successor: Line) -> bool:
        """Let both speak until the new one can do without the old one; False when either ends before."""
        ready = asyncio.create_task(successor.ready.wait())
        both = (self._lines[line], self._lines[successor])
        try:
            await asyncio.wait((*both, ready), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if successor.ready.is_set():
            await asyncio.wait(both, timeout=self._patience.overlap_seconds, return_when=asyncio.FIRST_COMPLETED)
        return successor.ready.is_set() and not any(task.done() for task in both)

    async def _close(self, line: Line) -> None:
        line.leads = False
        task = self._lines.pop(line)
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        self._one_by_one = self._one_by_one or line.one_by_one
        if isinstance(ended, Exception):
            raise ended
        if isinstance(ended, str):
            logger.warning("next connection failed", extra={"exchange": self.exchange.name, "reason": ended})

    def _lose(self, line: Line, handle: Handler) -> None:
        """The connection ended and nothing took its place: trades may be missing from here on."""
        reason = self._lines.pop(line).result()
        line.leads = False
        self._one_by_one = self._one_by_one or line.one_by_one
        # Back-off resets at a market event and not on connect: a peer that accepts and closes at once must not be
        # hammered.
        if line.spoke:
            self._attempt, self._told = 0, ""
        self.status.subscribed = frozenset()
        self.status.state = "stale" if line.went_silent else "down"
        self.status.detail = reason
        handle((Disconnected(reason),))

    async def _back_off(self, line: Line) -> None:
        delay = self._delay(line)
        facts = {"exchange": self.exchange.name, "reason": self.status.detail, "retry_seconds": round(delay, 2)}
        # An exchange that is away for hours is told of once.
        logger.log(
            logging.DEBUG if self.status.detail == self._told else logging.WARNING, "connection ended", extra=facts
        )
        self._told = self.status.detail
        await asyncio.sleep(delay)

    def _delay(self, line: Line) -> float:
        """How long to wait: full jitter, doubling from attempt to attempt; what was asked for comes on top."""
        patience = self._patience
        ceiling = min(patience.backoff_seconds_max, patience.backoff_seconds_first * 2 ** min(self._attempt, 16))
        self._attempt += 1
        return line.wait_seconds + self._random.uniform(0, ceiling)
