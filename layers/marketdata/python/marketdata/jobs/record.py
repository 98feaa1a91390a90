"""A live feed into a capture file that `replay` reads: every frame as it came, used or not."""

import asyncio
import contextlib
import gzip
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

import msgspec

from marketdata.jobs.replay import CapturedFrame
from marketdata.model.events import Event
from marketdata.model.quote import Quote
from marketdata.model.trade import Trade
from marketdata.net.stream import Stream

FLUSH_SECONDS = 1.0


class CaptureFile:
    """An NDJSON file being written, gzip when the name ends in `.gz`. It is never written over.

    Raises: FileExistsError.
    """

    def __init__(self, path: Path) -> None:
        self.frames = 0
        self.trades = 0
        self._encode = msgspec.json.Encoder().encode
        self._file = _create(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, frame: str | bytes, received_at: datetime) -> None:
        """Append one frame as it arrived."""
        text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
        self._file.write(self._encode(CapturedFrame(received_at, text)) + b"\n")
        self.frames += 1

    def note(self, events: Sequence[Event]) -> None:
        """Count the trades, or quotes, among what was written."""
        self.trades += sum(isinstance(event, Trade | Quote) for event in events)

    def flush(self) -> None:
        """Hand what was written to the system."""
        self._file.flush()


def _create(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "xb")) if path.suffix == ".gz" else path.open("xb")


async def record(stream: Stream, capture: CaptureFile, stop: asyncio.Event, *, seconds_max: float | None) -> None:
    """Run `stream`, whose `on_frame` is `capture.write`, until `stop` or for `seconds_max`."""
    running = asyncio.create_task(stream.run(capture.note))
    flushing = asyncio.create_task(_flush(capture))
    stopping = asyncio.create_task(stop.wait())
    try:
        tasks = {running, flushing, stopping}
        done, _ = await asyncio.wait(tasks, timeout=seconds_max, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (running, flushing, stopping):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _flush(capture: CaptureFile) -> None:
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        capture.flush()
