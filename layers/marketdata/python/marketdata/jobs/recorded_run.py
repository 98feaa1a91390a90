"""A run of a job on the store's list of runs, as far as the store lets it be there. Used by run_job and by commands.

A store that is away loses a line of the list and no work: the job runs all the same, and its own error is the one that
is heard.
"""

import logging
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

import msgspec

from marketdata.clock import Clock
from marketdata.errors import MarketDataError, StoreError
from marketdata.model.job_run import EVERYTHING, JobRun, RunState, Scope
from marketdata.store.limits import LEASE_SECONDS_MAX, RESULT_BYTES_MAX
from marketdata.store.work import WorkStore

logger = logging.getLogger(__name__)

LEASE_MARGIN = timedelta(seconds=60)
"""What a job has begun when its deadline comes ends within this; who is not heard of by then was killed."""

_PART_BYTES_MAX = 1_000


class RecordedRun:
    """One run from its beginning; `obstacle` is the other that stands in its way, and then it must not go on.

    As a context it fails with whatever error leaves it.
    """

    def __init__(
        self,
        store: WorkStore,
        clock: Clock,
        kind: str,
        *,
        lease: timedelta,
        trigger: str,
        scheduled_time: datetime | None = None,
        scope: Scope = EVERYTHING,
        exclusive: bool = False,
    ) -> None:
        self.obstacle: JobRun | None = None
        self._store = store
        self._clock = clock
        self._kind = kind
        self._lease_seconds = min(
            max(lease, timedelta()) + LEASE_MARGIN, timedelta(seconds=LEASE_SECONDS_MAX)
        ).total_seconds()
        self._run: JobRun | None = None
        # No two runs are the same worker: a run is told by it.
        worker = f"{kind}-{secrets.token_hex(6)}"
        try:
            run = store.start_run(
                kind,
                worker=worker,
                now=clock.now(),
                lease_seconds=self._lease_seconds,
                trigger=trigger,
                scheduled_time=scheduled_time,
                scope=scope,
                exclusive=exclusive,
            )
        except StoreError as error:
            self._unrecorded("begin", error)
        else:
            self._run, self.obstacle = (run, None) if run.worker == worker else (None, run)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.fail(error)

    def renew(self) -> None:
        """Hold the lease for as long again from now."""
        if self._run is None:
            return
        try:
            if not self._store.renew_run(self._run, now=self._clock.now(), lease_seconds=self._lease_seconds):
                logger.warning("job outlived its lease", extra={"job": self._kind})
        except StoreError as error:
            self._unrecorded("renew", error)

    def succeed(self, result: Mapping[str, object]) -> None:
        """Record what was done."""
        self._finish(RunState.SUCCEEDED, bounded(result), "")

    def fail(self, error: BaseException) -> None:
        """Record why it was not done."""
        self._finish(RunState.FAILED, {}, said_of(error))

    def _finish(self, state: RunState, result: Mapping[str, Any], error: str) -> None:
        if self._run is None:
            return
        try:
            if not self._store.finish_run(self._run, now=self._clock.now(), state=state, result=result, error=error):
                logger.warning("job outlived its lease", extra={"job": self._kind})
        except StoreError as failure:
            self._unrecorded("finish", failure)

    def _unrecorded(self, moment: str, error: StoreError) -> None:
        logger.warning("job is not recorded", extra={"job": self._kind, "moment": moment, "reason": error.reason})


def said_of(error: BaseException) -> str:
    """An error as everybody may read it: where our store is, and what others' errors hold, is in the log alone."""
    if isinstance(error, StoreError):
        return f"the store did not do {error.operation}"
    return str(error) if isinstance(error, MarketDataError) else type(error).__name__


def bounded(result: Mapping[str, object]) -> dict[str, Any]:
    """A result as the list keeps it: plain values, and of one that is too long the short parts."""
    plain: dict[str, Any] = msgspec.to_builtins(dict(result))
    if len(msgspec.json.encode(plain)) <= RESULT_BYTES_MAX:
        return plain
    short = {name: part for name, part in plain.items() if len(msgspec.json.encode(part)) <= _PART_BYTES_MAX}
    left_out = sorted(plain.keys() - short.keys())
    shortened = {**short, "left_out": left_out}
    return shortened if len(msgspec.json.encode(shortened)) <= RESULT_BYTES_MAX else {"left_out": ["everything"]}
