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
class Export:
    """`id`: 32 hex digits that nobody guesses. `attempts` counts leases: (worker, attempts) tells one from all others.

    `result`: rows, bytes, condition, coverage, gaps of the file that is there when it is done, until `expires_at`.
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
