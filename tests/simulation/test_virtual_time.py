"""Virtual time behaves as asyncio does, but for how long it takes, and processes end as real ones do."""

import asyncio
from datetime import UTC, datetime

import pytest

from tests.simulation.process import Process
from tests.simulation.virtual_time import Killed, VirtualTime

START = datetime(2026, 11, 16, tzinfo=UTC)


@pytest.fixture
def time() -> VirtualTime:
    return VirtualTime(START)


def test_sleeping_costs_virtual_time_alone(time: VirtualTime) -> None:
    woken = []

    async def sleep() -> None:
        await asyncio.sleep(86_400)
        woken.append(asyncio.get_running_loop().time())

    Process(time, "sleeper").start(sleep())
    time.run_until(90_000)
    assert woken == [86_400]
    assert time.seconds == 90_000


def test_synchronous_calls_sleep_side_by_side(time: VirtualTime) -> None:
    process = Process(time, "caller")
    told: list[float] = []

    def call(seconds: float) -> float:
        process.sleep(seconds)
        return process.time()

    async def work() -> None:
        told.extend(await asyncio.gather(asyncio.to_thread(call, 5), asyncio.to_thread(call, 3)))

    process.start(work())
    time.run_until(10)
    assert told == [5, 3]


def test_a_timeout_ends_what_waits(time: VirtualTime) -> None:
    ended = []

    async def wait() -> None:
        try:
            async with asyncio.timeout(3):
                await asyncio.Event().wait()
        except TimeoutError:
            ended.append(asyncio.get_running_loop().time())

    Process(time, "waiter").start(wait())
    time.run_until(10)
    assert ended == [3]


def test_a_process_that_stood_still_does_late_what_it_should_have_done(time: VirtualTime) -> None:
    process, ticks = Process(time, "ticker"), []

    async def tick() -> None:
        while True:
            ticks.append(asyncio.get_running_loop().time())
            await asyncio.sleep(10)

    process.start(tick())
    time.run_until(15)
    process.stand_still()
    time.run_until(100)
    process.go_on()
    time.run_until(105)
    assert ticks == [0, 10, 100]


def test_a_killed_process_reaches_no_further_door(time: VirtualTime) -> None:
    process, done = Process(time, "killed"), []

    def save() -> None:
        process.check_alive()
        process.sleep(1)
        done.append("saved")

    async def work() -> None:
        try:
            await asyncio.to_thread(save)
        finally:
            # What a dying process would do in its last moment, it does not do.
            with pytest.raises(Killed):
                process.check_alive()

    task = process.start(work())
    time.run_until(0.5)
    process.kill()
    time.run_until(5)
    assert task.cancelled()
    assert done == []


def test_what_nobody_catches_is_a_failure_of_the_simulation(time: VirtualTime) -> None:
    Process(time, "broken").call_soon(lambda: 1 // 0)
    time.run_until(1)
    assert len(time.failures) == 1
    assert "ZeroDivisionError" in time.failures[0]
