"""Schedules on the wall clock's minutes; the clock stands still until the scheduler sleeps."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from marketdata import wiring
from marketdata.clock import FakeClock, SystemClock
from marketdata.store.memory import MemoryStore

from infra.catalog import Schedule
from local.scheduler import Scheduler
from tests.functions.calls import settings
from tests.market import at

EVERY_MINUTE = Schedule("roll_up", "roll_up", every_minutes=1)
EVERY_FIVE = Schedule("scan", "roll_up", every_minutes=5)


class Dial:
    """A clock that moves when the scheduler sleeps, `minutes` sleeps far; jobs end first, unless they are `slow`."""

    def __init__(self, start: str, minutes: int, *, slow: bool = False) -> None:
        self.slow = slow
        self.clock = FakeClock(at(start))
        self.left = minutes
        self.slept: list[float] = []
        self.stopped = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        if self.left == 0:
            self.stopped.set()
            await asyncio.Event().wait()
        self.left -= 1
        self.slept.append(seconds)
        self.clock.advance(timedelta(seconds=seconds))
        jobs = [task for task in asyncio.all_tasks() if task.get_name().startswith("schedule ")]
        if jobs and not self.slow:
            await asyncio.wait(jobs, timeout=10)
        await asyncio.sleep(0)


class Recorder:
    """A handler that keeps its inputs, and does what the test says."""

    def __init__(self, do: Callable[[], object] = lambda: None) -> None:
        self.events: list[dict[str, Any]] = []
        self._do = do

    def __call__(self, event: dict[str, Any], context: Any) -> Any:
        self.events.append(event)
        self._do()


@asynccontextmanager
async def running(dial: Dial, handler: Recorder, *schedules: Schedule) -> AsyncIterator[None]:
    scheduler = Scheduler(dial.clock, schedules=schedules, handlers={"roll_up": handler}, sleep=dial.sleep)
    scheduler.start()
    try:
        await asyncio.wait_for(dial.stopped.wait(), 10)
        yield
    finally:
        await scheduler.stop()


async def test_a_job_runs_at_every_whole_minute_with_the_scheduled_time() -> None:
    dial, handler = Dial("10:00:20", minutes=3), Recorder()
    async with running(dial, handler, EVERY_MINUTE):
        pass
    assert dial.slept == [40, 60, 60]
    assert handler.events == [
        {"job": "roll_up", "time": "2026-08-09T10:01:00Z"},
        {"job": "roll_up", "time": "2026-08-09T10:02:00Z"},
        {"job": "roll_up", "time": "2026-08-09T10:03:00Z"},
    ]


async def test_a_start_on_the_minute_waits_for_the_next() -> None:
    dial, handler = Dial("10:00", minutes=1), Recorder()
    async with running(dial, handler, EVERY_MINUTE):
        pass
    assert [event["time"][11:16] for event in handler.events] == ["10:01"]


async def test_every_five_minutes_is_on_the_fives() -> None:
    dial, handler = Dial("10:03:30", minutes=8), Recorder()
    async with running(dial, handler, EVERY_FIVE):
        pass
    assert [event["time"][11:16] for event in handler.events] == ["10:05", "10:10"]


async def test_a_job_that_fails_is_logged_and_runs_again(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise RuntimeError("the store is down")

    dial, handler = Dial("10:00", minutes=2), Recorder(fail)
    async with running(dial, handler, EVERY_MINUTE):
        pass
    assert len(handler.events) == 2
    assert [record.getMessage() for record in caplog.records] == ["job failed", "job failed"]


async def test_a_job_still_running_is_not_started_again(caplog: pytest.LogCaptureFixture) -> None:
    release = threading.Event()
    dial, handler = Dial("10:00", minutes=3, slow=True), Recorder(lambda: release.wait(10))
    async with running(dial, handler, EVERY_MINUTE):
        release.set()
    assert len(handler.events) == 1
    assert [record.getMessage() for record in caplog.records] == ["job still runs, this time is skipped"] * 2


async def test_jobs_of_one_minute_run_beside_each_other() -> None:
    both = threading.Barrier(2)
    dial, handler = Dial("10:04:30", minutes=1), Recorder(lambda: both.wait(10))
    async with running(dial, handler, EVERY_MINUTE, EVERY_FIVE):
        pass
    assert sorted(event["job"] for event in handler.events) == ["roll_up", "scan"]
    assert not both.broken


async def test_stopping_waits_for_the_job_that_runs_and_starts_no_more() -> None:
    finished = threading.Event()

    def work() -> None:
        threading.Event().wait(0.05)
        finished.set()

    dial, handler = Dial("10:00", minutes=1, slow=True), Recorder(work)
    async with running(dial, handler, EVERY_MINUTE):
        pass
    assert finished.is_set()
    assert len(handler.events) == 1
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("schedule")]


async def test_a_job_that_does_not_end_in_time_is_left_and_named(caplog: pytest.LogCaptureFixture) -> None:
    let_go = threading.Event()
    dial, handler = Dial("10:00", minutes=1, slow=True), Recorder(lambda: let_go.wait(10))
    scheduler = Scheduler(
        dial.clock,
        schedules=[EVERY_MINUTE],
        handlers={"roll_up": handler},
        sleep=dial.sleep,
        stop_seconds_max=0.01,
    )
    scheduler.start()
    await asyncio.wait_for(dial.stopped.wait(), 10)
    try:
        await scheduler.stop()
    finally:
        let_go.set()
    (line,) = [record for record in caplog.records if record.message == "stopped before they ended"]
    assert vars(line)["jobs"] == "roll_up"


async def test_what_never_started_can_be_stopped() -> None:
    await Scheduler(FakeClock(at("10:00")), schedules=[], handlers={}).stop()


async def test_a_daily_job_runs_at_its_minute_of_the_day() -> None:
    dial, handler = Dial("03:15:30", minutes=4), Recorder()
    async with running(dial, handler, Schedule("reconcile", "roll_up", every_minutes=1440, after_minutes=197)):
        pass
    assert [event["time"] for event in handler.events] == ["2026-08-09T03:17:00Z"]


async def test_a_job_that_waits_for_something_to_do_ends_when_the_scheduler_stops() -> None:
    store, clock = MemoryStore(), SystemClock()
    looked, results = threading.Event(), []

    def work() -> None:
        watching = wiring.jobs(settings(ALERT_POLL_SECONDS="30"), store, watching=True)["alerts"]
        looked.set()
        results.append(watching(store, clock, clock.now() + timedelta(minutes=10)))

    dial = Dial("10:00", minutes=1, slow=True)
    async with running(dial, Recorder(work), EVERY_MINUTE):
        await asyncio.to_thread(looked.wait, 10)
    assert [result["evaluations"] for result in results] == [1]
