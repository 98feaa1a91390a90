"""The exchange of a simulation: the built-in simulator's own sessions over wires instead of sockets.

Every machine of ours has a line to it, with faults of its own. What REST answers is in rest.py.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from enum import Enum
from random import Random

import msgspec
from marketdata.model.times import nanoseconds

from local.exchanges.coinbase_feed import FeedSession
from local.exchanges.faults import Faults
from local.exchanges.session import FellBehind
from tests.simulation.market import SimulatedMarket
from tests.simulation.process import Process
from tests.simulation.record import Record
from tests.simulation.virtual_time import VirtualTime

FLIGHT_SECONDS = (0.01, 0.1)
"""How long a frame is under way."""
PONG_SECONDS_MAX = 40.0
"""Who has not answered a ping for so long is cut off."""


class Acknowledging(Enum):
    """What becomes of a request to subscribe."""

    NORMAL = "normal"
    LOST = "lost"
    REFUSED = "refused"
    PARTIAL = "partial"


class Line:
    """How one machine reaches the exchange's streams, and what befalls it there."""

    def __init__(self, seed: str) -> None:
        self.faults = Faults(Random(seed).getrandbits(32))
        self.acknowledging = Acknowledging.NORMAL
        self.garbled = 0.0
        """That share of the frames arrives cut off in the middle."""
        self.wires: list[Wire] = []
        self.luck = Random(f"{seed}/line")

    def cut(self) -> None:
        """Break what is open, without a closing handshake."""
        for wire in list(self.wires):
            wire.abort()

    def inject(self, frame: str) -> None:
        """Send one frame to everybody."""
        for wire in self.wires:
            wire.deliver([frame])


class StreamExchange:
    """The streams' side of the exchange; `beat_seconds` is its heartbeat's."""

    def __init__(self, time: VirtualTime, market: SimulatedMarket, record: Record, *, beat_seconds: float) -> None:
        self.process = Process(time, "exchange")
        self.market = market
        self.record = record
        self.time = time
        self.beat = timedelta(seconds=beat_seconds)
        self._accepted = 0

    @contextlib.asynccontextmanager
    async def connect(self, process: Process, line: Line) -> "AsyncIterator[Wire]":
        """A connection of `process` over `line`. Raises: OSError when the exchange refuses."""
        process.check_alive()
        await asyncio.sleep(line.luck.uniform(0.02, 0.3))
        if line.faults.refusing:
            raise ConnectionRefusedError(111, "Connection refused")
        self._accepted += 1
        self.record.note("connected", process.name)
        wire = Wire(self, process, line, self._accepted)
        line.wires.append(wire)
        try:
            yield wire
        finally:
            wire.close()


class Wire:
    """One connection: our end of it, and what the exchange does at the other."""

    def __init__(self, exchange: StreamExchange, process: Process, line: Line, number: int) -> None:
        self.process = process
        self._exchange = exchange
        self._line = line
        self._session = FeedSession(exchange.market, line.faults, number, exchange.time.now(), beat=exchange.beat)
        self._opened_at = exchange.time.now()
        self._frames: asyncio.Queue[str | None] = asyncio.Queue()
        self._arrives_at = self._reaches_at = 0.0
        self._open = True
        self._told = exchange.process.start(self._tell())

    async def send(self, message: str) -> None:
        """Ask the exchange something. Raises: ConnectionResetError."""
        self.process.check_alive()
        if not self._open:
            raise ConnectionResetError(104, "Connection reset by peer")
        self._reaches_at = max(self._reaches_at, self._exchange.time.seconds + self._flight())
        self._exchange.process.call_at(self._reaches_at, self._receive, message)

    async def recv(self) -> str:
        """The next frame. Raises: ConnectionResetError."""
        frame = await self._frames.get()
        self.process.check_alive()
        if frame is None:
            raise ConnectionResetError(104, "Connection reset by peer")
        self._exchange.record.hears(self.process.name, _trades_of(frame))
        return frame

    def deliver(self, frames: list[str]) -> None:
        """Put frames on their way to us."""
        if frames and self._open and not self._line.faults.silent:
            self._arrives_at = max(self._arrives_at, self._exchange.time.seconds + self._flight())
            self.process.call_at(self._arrives_at, self._arrive, frames)

    def abort(self) -> None:
        """The connection is gone, and with it what was under way."""
        self.close()
        self.process.call_later(self._flight(), self._frames.put_nowait, None)

    def close(self) -> None:
        """Our side has gone."""
        self._open = False
        self._told.cancel()
        if self in self._line.wires:
            self._line.wires.remove(self)

    def _arrive(self, frames: list[str]) -> None:
        if not self._open:
            return
        self._exchange.record.heard_at[self.process.name] = self._exchange.time.seconds
        for frame in frames:
            self._exchange.record.note("frame", f"{self.process.name} {frame}")
            self._frames.put_nowait(self._garble(frame))

    def _garble(self, frame: str) -> str:
        if self._line.garbled and self._line.luck.random() < self._line.garbled:
            self._exchange.record.note("garbled")
            return frame[: len(frame) // 2]
        return frame

    def _receive(self, message: str) -> None:
        how = self._line.acknowledging
        if not self._open or how is Acknowledging.LOST or self._line.faults.silent:
            return
        if how is Acknowledging.REFUSED:
            self.deliver([json.dumps({"type": "error", "message": "Failed to subscribe", "reason": "not now"})])
            return
        if how is Acknowledging.PARTIAL:
            request = json.loads(message)
            # All but the first; of one, none.
            request["product_ids"] = request["product_ids"][1:]
            if not request["product_ids"]:
                return
            message = json.dumps(request)
        self.deliver(self._session.receive(message, self._exchange.time.now()))

    async def _tell(self) -> None:
        """Tick whenever something is due."""
        try:
            while self._open:
                self.deliver(self._session.tick(self._exchange.time.now()))
                await asyncio.sleep(self._seconds_to_next())
        except FellBehind:
            self.abort()

    def _seconds_to_next(self) -> float:
        """Until just after the next trade of any product, or the next beat."""
        now, market, beat = self._exchange.time.now(), self._exchange.market, self._exchange.beat
        times = [market.next_time(symbol, now) for symbol in market.products]
        trade = min((time for time in times if time is not None), default=None)
        to_beat = (beat - (now - self._opened_at) % beat).total_seconds()
        return to_beat if trade is None else min(to_beat, (trade - nanoseconds(now)) / 1e9 + 1e-6)

    def _flight(self) -> float:
        return self._line.luck.uniform(*FLIGHT_SECONDS)


class _Match(msgspec.Struct):
    product_id: str
    trade_id: int


_read_match = msgspec.json.Decoder(_Match).decode


def _trades_of(frame: str) -> list[tuple[str, int]]:
    if '"match"' not in frame[:20] and '"last_match"' not in frame[:20]:
        return []
    try:
        match = _read_match(frame)
    except (msgspec.DecodeError, ValueError):
        return []
    return [(match.product_id, match.trade_id)]
