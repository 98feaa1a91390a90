"""The runs of jobs of the in-memory store; the same as the database's ingestion_jobs and its functions (migrations/).

Not safe for threads: MemoryStore holds the lock.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count, islice
from typing import Any

from marketdata.errors import EXCERPT_CHARACTERS_MAX
from marketdata.model.job_run import JobRun, RunState


class RunBook:
    """Runs by number; numbers only grow."""

    def __init__(self) -> None:
        self._runs: dict[int, JobRun] = {}
        self._numbers = count(1)
        self._running: set[int] = set()
        self._queued: set[int] = set()
        self._of_worker: dict[str, int] = {}
        # The newest of a kind and scheduled time: only it can be running or have succeeded.
        self._of_time: dict[tuple[str, datetime], int] = {}

    def lose(self, now: datetime) -> None:
        """Write down which runs have lost their lease."""
        for run in [_as_of(self._runs[number], now) for number in (*self._running, *self._queued)]:
            self._put(run)

    def start(self, begun: JobRun, exclusive: bool) -> JobRun:
        """See Store.start_run; `begun` has no number yet."""
        obstacle = self._obstacle(begun, exclusive)
        if obstacle:
            return obstacle
        run = replace(begun, id=next(self._numbers))
        self._put(run)
        self._of_worker[run.worker] = run.id
        if run.scheduled_time:
            self._of_time[run.kind, run.scheduled_time] = run.id
        return run

    def order(self, queued: JobRun, waiting_max: int) -> JobRun | None:
        """See Store.order_run; `queued` has no number yet."""
        if queued.worker in self._of_worker:
            return _as_of(self._runs[self._of_worker[queued.worker]], queued.started_at)
        waiting = [self._runs[number] for number in self._queued]
        if sum(run.lease_until > queued.started_at for run in waiting) >= waiting_max:
            return None
        run = replace(queued, id=next(self._numbers))
        self._put(run)
        self._of_worker[run.worker] = run.id
        return run

    def claim(self, worker: str, now: datetime, lease: timedelta, exclusive: Collection[str]) -> JobRun | None:
        """See Store.claim_run."""
        running = {self._runs[number].kind for number in self._running} & {*exclusive}
        free = (self._runs[number] for number in sorted(self._queued) if self._runs[number].kind not in running)
        queued = next(free, None)
        if queued is None:
            return None
        del self._of_worker[queued.worker]
        begun = replace(queued, state=RunState.RUNNING, worker=worker, started_at=now, lease_until=now + lease)
        self._put(begun)
        self._of_worker[worker] = begun.id
        return begun

    def renew(self, run: JobRun, now: datetime, lease: timedelta) -> bool:
        """See Store.renew_run."""
        kept = self._held(run, now)
        if kept:
            self._put(replace(kept, lease_until=now + lease))
        return kept is not None

    def finish(self, run: JobRun, now: datetime, state: RunState, result: Mapping[str, Any], error: str) -> bool:
        """See Store.finish_run."""
        kept = self._held(run, now)
        if kept:
            short = error[:EXCERPT_CHARACTERS_MAX]
            self._put(replace(kept, state=state, finished_at=now, result=dict(result), error=short))
        said = self._runs.get(run.id)
        return said is not None and (said.worker, said.state) == (run.worker, state)

    def select(
        self, now: datetime, kind: str | None, states: Collection[RunState] | None, limit: int, before_id: int | None
    ) -> list[JobRun]:
        """See Store.runs."""
        chosen = (
            run
            for run in (_as_of(run, now) for run in reversed(self._runs.values()))
            if (before_id is None or run.id < before_id)
            and kind in (None, run.kind)
            and (states is None or run.state in states)
        )
        return list(islice(chosen, limit))

    def prune(self, before: datetime, limit: int) -> int:
        """Forget at most `limit` of those that ended before."""
        ended = sorted((run.finished_at or run.lease_until, run.id) for run in self._runs.values())
        old = [number for end, number in ended if end < before][:limit]
        for number in old:
            self._remove(self._runs[number])
        return len(old)

    def _obstacle(self, begun: JobRun, exclusive: bool) -> JobRun | None:
        """The run of the same worker, else one that stands in the way."""
        if begun.worker in self._of_worker:
            return self._runs[self._of_worker[begun.worker]]
        if begun.scheduled_time and (number := self._of_time.get((begun.kind, begun.scheduled_time))):
            meant = self._runs[number]
            if meant.state in (RunState.RUNNING, RunState.SUCCEEDED):
                return meant
        running = (self._runs[number] for number in sorted(self._running, reverse=True)) if exclusive else ()
        return next((run for run in running if run.kind == begun.kind), None)

    def _put(self, run: JobRun) -> None:
        self._runs[run.id] = run
        for state, numbers in ((RunState.RUNNING, self._running), (RunState.QUEUED, self._queued)):
            if run.state is state:
                numbers.add(run.id)
            else:
                numbers.discard(run.id)

    def _remove(self, run: JobRun) -> None:
        del self._runs[run.id], self._of_worker[run.worker]
        self._running.discard(run.id)
        self._queued.discard(run.id)
        if run.scheduled_time and self._of_time[run.kind, run.scheduled_time] == run.id:
            del self._of_time[run.kind, run.scheduled_time]

    def _held(self, run: JobRun, now: datetime) -> JobRun | None:
        """The run as it is kept, if its worker still holds it."""
        kept = self._runs.get(run.id)
        held = kept is not None and kept.worker == run.worker and _as_of(kept, now).state is RunState.RUNNING
        return kept if held else None


def _as_of(run: JobRun, now: datetime) -> JobRun:
    """The run, lost if its lease has ended."""
    if run.state in (RunState.RUNNING, RunState.QUEUED) and run.lease_until <= now:
        return replace(run, state=RunState.LOST, finished_at=run.lease_until)
    return run
