"""The market that these tests talk about, and how they listen to it."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from marketdata.clock import Clock
from marketdata.model.span import Span
from websockets.asyncio.client import ClientConnection

from local.exchanges.coinbase import Simulator, coinbase_simulator
from local.exchanges.faults import Faults
from local.exchanges.tape import Tape

TAPE = Tape(7)
SYMBOLS = tuple(TAPE.products)
NOW = datetime(2026, 8, 9, 21, 5, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DEADLINE_SECONDS = 30.0

Frame = dict[str, Any]


def seconds(count: float) -> timedelta:
    """That many seconds."""
    return timedelta(seconds=count)


def since(start: datetime, **length: float) -> Span:
    """The span that begins at `start` and is that long."""
    return Span(start, start + timedelta(**length))


def parsed(frames: list[str]) -> list[Frame]:
    """Frames as JSON objects."""
    return [json.loads(frame) for frame in frames]


def request(kind: str, *symbols: str, channels: tuple[str, ...] = ("matches", "heartbeat")) -> str:
    """A request of the Exchange feed."""
    return json.dumps({"type": kind, "product_ids": symbols, "channels": channels})


def simulator(clock: Clock, faults: Faults | None = None, *, frames_max: int = 50_000) -> Simulator:
    """A simulator that notices at once when the clock moves."""
    return Simulator(coinbase_simulator(TAPE, clock, faults, poll_seconds=0.002, frames_max=frames_max))


async def listen_until(websocket: ClientConnection, wanted: Callable[[Frame], bool]) -> list[Frame]:
    """Every frame up to and including the first that is wanted."""
    frames = []
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            frames.append(json.loads(await websocket.recv()))
            if wanted(frames[-1]):
                return frames


def of_type(kind: str) -> Callable[[Frame], bool]:
    """Whether a frame of the Exchange feed is of that type."""
    return lambda frame: frame.get("type") == kind
