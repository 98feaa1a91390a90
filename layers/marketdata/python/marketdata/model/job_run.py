"""One run of a job, as the list of runs keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe


class RunState(StrEnum):
    """What became of a run. One that neither finished nor renewed its lease in time is lost: it was killed.

    One that was ordered is queued until somebody begins it; one that nobody began in its time is lost too.
    """

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run is about; None where it is about all."""

    exchange: str | None = None
    symbol: str | None = None
    timeframe: Timeframe | None = None
    span: Span | None = None


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class JobRun:
    """One row of the list.

    `worker` is one process doing one run, and no other: by it a run is told from every other. `trigger` is what asked
    for it (schedule, cron, operator). A schedule's run has its `scheduled_time`, of which one at most runs or succeeds.
    `result` counts what was done; `error` says why it failed, without secrets. A lost one was finished when its lease
    ran out. `arguments` are what an ordered run is to do.
    """

    id: int
    kind: str
    worker: str
    trigger: str
    state: RunState
    started_at: datetime
    lease_until: datetime
    scheduled_time: datetime | None = None
    scope: Scope = EVERYTHING
    finished_at: datetime | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
