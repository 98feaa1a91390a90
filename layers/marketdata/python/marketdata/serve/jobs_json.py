"""The runs of jobs as clients hear them: the records of /v1/jobs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from marketdata.model.job_run import JobRun
from marketdata.model.times import rfc3339
from marketdata.serve.json_types import Instant


class RunRecord(msgspec.Struct, frozen=True):
    """`kind` is the job's name. `exchange` to `end` are null where the run is about all there is."""

    id: int
    kind: str
    trigger: str
    state: str
    exchange: str | None
    symbol: str | None
    timeframe: str | None
    start: Instant | None
    end: Instant | None
    scheduled_time: Instant | None
    started_at: Instant
    finished_at: Instant | None
    seconds: float | None
    result: Mapping[str, Any]
    error: str


class RunsMeta(msgspec.Struct, frozen=True):
    as_of: Instant


class Runs(msgspec.Struct, frozen=True):
    data: list[RunRecord]
    next_cursor: str | None
    meta: RunsMeta


def jobs_body(runs: Sequence[JobRun], next_cursor: str | None, as_of: datetime) -> str:
    """The whole answer of /v1/jobs. Workers are our own affair and are not named."""
    return msgspec.json.encode(Runs([_record(run) for run in runs], next_cursor, RunsMeta(rfc3339(as_of)))).decode()


def run_body(run: JobRun) -> str:
    """One run by itself."""
    return msgspec.json.encode(_record(run)).decode()


def _record(run: JobRun) -> RunRecord:
    scope, span = run.scope, run.scope.span
    return RunRecord(
        id=run.id,
        kind=run.kind,
        trigger=run.trigger,
        state=run.state.value,
        exchange=scope.exchange,
        symbol=scope.symbol,
        timeframe=scope.timeframe.name if scope.timeframe else None,
        start=_time(span.start if span else None),
        end=_time(span.end if span else None),
        scheduled_time=_time(run.scheduled_time),
        started_at=rfc3339(run.started_at),
        finished_at=_time(run.finished_at),
        seconds=(run.finished_at - run.started_at).total_seconds() if run.finished_at else None,
        result=run.result,
        error=run.error,
    )


def _time(time: datetime | None) -> str | None:
    return rfc3339(time) if time else None
