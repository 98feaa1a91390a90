"""Jobs by name."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier, Event
from typing import Any

import pytest
from marketdata.clock import Clock, FakeClock
from marketdata.errors import NotFound, RequestInvalid, StoreError
from marketdata.jobs.run_job import JOBS, Run, run_job, scheduled_time
from marketdata.model.job_run import JobRun, RunState
from marketdata.store.memory import MemoryStore
from marketdata.store.store import Store

from tests.market import MINUTE, a_store, at, minutes

NOON = at("12:00")


class Unreachable(MemoryStore):
    """A store of which nothing about runs can be had."""

    def start_run(self, kind: str, **_: Any) -> JobRun:
        raise StoreError("start_run", "nobody there")


class Counting:
    """A job that counts its runs, and fails the first `failures` of them."""

    def __init__(self, failures: int = 0) -> None:
        self.runs = 0
        self.failures = failures

    def __call__(self, store: Store, clock: Clock, deadline: datetime) -> dict[str, object]:
        self.runs += 1
        if self.runs <= self.failures:
            raise StoreError("candles", "the job's own trouble")
        return {"runs": self.runs}


def run(job: Counting, store: Store, clock: FakeClock | None = None, name: str = "gap_scan", **changes: Any) -> Run:
    clock = clock or FakeClock(NOON)
    return run_job(name, store, clock, clock.now() + MINUTE, trigger="schedule", jobs={name: job}, **changes)


def test_a_run_says_what_was_done_when_and_why() -> None:
    store = a_store()
    store.put_candles(minutes("10:00", "10:01"))
    done = run_job("roll_up", store, FakeClock(NOON), at("13:00"), trigger="cron")
    document = done.document()
    assert document["result"] == done.result
    assert done.result["entries"] == 1
    assert {name: document[name] for name in ("status", "job", "trigger", "started_at", "completed_at")} == {
        "status": "success",
        "job": "roll_up",
        "trigger": "cron",
        "started_at": "2026-08-09T12:00:00Z",
        "completed_at": "2026-08-09T12:00:00Z",
    }
    (listed,) = store.runs(now=NOON, limit=10)
    assert (listed.kind, listed.trigger, listed.state, listed.result) == (
        "roll_up",
        "cron",
        RunState.SUCCEEDED,
        done.result,
    )


def test_a_job_of_no_such_name_is_told_which_there_are() -> None:
    with pytest.raises(NotFound) as refused:
        run_job("make_coffee", a_store(), FakeClock(NOON), at("13:00"), trigger="cron")
    assert (refused.value.field, refused.value.choices) == ("job", tuple(JOBS))


@pytest.mark.parametrize("name", ["gap_scan", "backfill"])
def test_a_schedule_that_fires_twice_runs_its_job_once(name: str) -> None:
    store, job = a_store(), Counting()
    first = run(job, store, name=name, scheduled_time=NOON)
    again = run(job, store, FakeClock(NOON + MINUTE), name=name, scheduled_time=NOON)
    assert (job.runs, first.status, again.status) == (1, "success", "skipped")
    assert again.result["state"] == "succeeded"
    assert run(job, store, name=name, scheduled_time=NOON + MINUTE).result == {"runs": 2}


def test_a_schedule_that_tries_a_failed_run_again_is_let() -> None:
    store, job = a_store(), Counting(failures=1)
    with pytest.raises(StoreError, match="the job's own trouble"):
        run(job, store, scheduled_time=NOON)
    assert run(job, store, scheduled_time=NOON).status == "success"
    assert [one.state for one in store.runs(now=NOON, limit=10)] == [RunState.SUCCEEDED, RunState.FAILED]


def test_a_run_that_was_killed_stands_in_the_way_until_its_lease_ends() -> None:
    store, job = a_store(), Counting()
    store.start_run("gap_scan", worker="killed", now=NOON, lease_seconds=90, trigger="schedule")
    assert run(job, store).status == "skipped"
    assert run(job, store, FakeClock(NOON + timedelta(seconds=90))).status == "success"
    assert [one.state for one in store.runs(now=NOON, limit=10)] == [RunState.SUCCEEDED, RunState.LOST]


def test_two_scans_never_overlap_and_two_backfills_may() -> None:
    store, begun, over = a_store(), Barrier(3), Event()

    def long_job(store: Store, clock: Clock, deadline: datetime) -> dict[str, object]:
        begun.wait(30)
        assert over.wait(30)
        return {}

    jobs = {"gap_scan": long_job, "backfill": long_job}
    with ThreadPoolExecutor(max_workers=2) as pool:
        running = [
            pool.submit(run_job, name, store, FakeClock(NOON), NOON + MINUTE, trigger="schedule", jobs=jobs)
            for name in jobs
        ]
        try:
            begun.wait(30)
            assert run(Counting(), store).status == "skipped"
            assert run(Counting(), store, name="backfill").status == "success"
        finally:
            over.set()
        assert [one.result().status for one in running] == ["success", "success"]


def test_a_list_that_cannot_be_written_hides_neither_the_work_nor_its_failure() -> None:
    assert run(Counting(), Unreachable()).result == {"runs": 1}
    with pytest.raises(StoreError, match="the job's own trouble"):
        run(Counting(failures=1), Unreachable())


def test_the_time_that_a_schedule_means_is_read_from_its_event() -> None:
    assert scheduled_time({"job": "gap_scan", "time": "2026-08-09T12:00:00Z"}) == NOON
    assert scheduled_time({"time": "2026-08-09T14:00:00+02:00"}) == NOON
    assert scheduled_time({}) is None


@pytest.mark.parametrize("said", ["soon", "2026-08-09T12:00:00", "<aws.scheduler.scheduled-time>"])
def test_a_schedule_that_means_no_time_is_told_so(said: str) -> None:
    with pytest.raises(RequestInvalid, match="time"):
        scheduled_time({"time": said})
