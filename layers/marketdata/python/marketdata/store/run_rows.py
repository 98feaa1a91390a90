"""Runs of jobs as rows. The columns are those of migrations/."""

from datetime import datetime
from typing import Any

import msgspec

from marketdata.model.job_run import JobRun, RunState, Scope
from marketdata.model.span import Span
from marketdata.model.timeframe import timeframe_of_minutes
from marketdata.store.wire import Row, in_utc, time_text


class RunRow(msgspec.Struct):
    """A run as the database's functions answer it."""

    id: int
    kind: str
    worker: str
    trigger: str
    state: RunState
    started_at: datetime
    lease_until: datetime
    scheduled_time: datetime | None
    exchange: str | None
    symbol: str | None
    timeframe: int | None
    start: datetime | None
    end: datetime | None
    finished_at: datetime | None
    result: dict[str, Any]
    error: str
    arguments: dict[str, Any] = {}

    @property
    def run(self) -> JobRun:
        """The value that the row stands for."""
        return JobRun(
            id=self.id,
            kind=self.kind,
            worker=self.worker,
            trigger=self.trigger,
            state=self.state,
            started_at=in_utc(self.started_at),
            lease_until=in_utc(self.lease_until),
            scheduled_time=in_utc(self.scheduled_time),
            scope=self._scope,
            finished_at=in_utc(self.finished_at),
            result=self.result,
            error=self.error,
            arguments=self.arguments,
        )

    @property
    def _scope(self) -> Scope:
        timeframe = None if self.timeframe is None else timeframe_of_minutes(self.timeframe)
        span = Span(in_utc(self.start), in_utc(self.end)) if self.start and self.end else None
        return Scope(self.exchange, self.symbol, timeframe, span)


def scope_arguments(scope: Scope) -> Row:
    """What a run is about, as arguments of a database function."""
    return {
        "p_exchange": scope.exchange,
        "p_symbol": scope.symbol,
        "p_timeframe": scope.timeframe.minutes if scope.timeframe else None,
        "p_span": f"[{time_text(scope.span.start)},{time_text(scope.span.end)})" if scope.span else None,
    }
