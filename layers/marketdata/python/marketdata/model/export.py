"""An export: candles of one market and span that somebody wants as a file, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class ExportState(StrEnum):
    """Where an export is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ExportQuestion:
    """What is wanted: candles with `start <= open_time < end`."""

    exchange: str
    symbol: str
    timeframe: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class ExportProgress:
    """The parts that are written, in order: how many `rows` each has, and how their `numbers` are.

    `attempt`: the lease under which the last was written. `begun_again`: how often parts were lost.
    """

    numbers: str
    rows: tuple[int, ...] = ()
    attempt: int = 0
    begun_again: int = 0


@dataclass(frozen=True, slots=True)
class Export:
    """`id`: 32 hex digits that nobody guesses. `attempts` counts leases: (worker, attempts) tells one from all others.

    `result`: rows, bytes, condition, coverage, gaps of the file that is there when it is done, until `expires_at`;
    before, the `progress` that was noted.
    """

    id: str
    caller: str
    question: ExportQuestion
    state: ExportState
    created_at: datetime
    expires_at: datetime
    attempts: int = 0
    worker: str | None = None
    finished_at: datetime | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def file_name(self) -> str:
        """The name of its file: nobody guesses it, and writing it again replaces it."""
        return f"{self.id}.parquet"

    @property
    def progress(self) -> ExportProgress | None:
        """How far it has come; None before the first part, and when it is done."""
        noted = self.result.get("progress")
        return None if noted is None else ExportProgress(**{**noted, "rows": tuple(noted["rows"])})

    @property
    def fruitless_attempts(self) -> int:
        """How many leases there were since the one under which it last got on."""
        return self.attempts - (self.progress.attempt if self.progress else 0)
