"""Jobs that were ordered: run once each, oldest first, and heard of on the list of runs."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from marketdata.clock import Clock, FakeClock
from marketdata.errors import NotFound, StoreError, Throttled
from marketdata.jobs.ordered import WAITING_MAX, order_job, run_ordered
from marketdata.jobs.run_job import JOBS, ORDERED
from marketdata.model.job_run import JobRun, RunState
from marketdata.store.memory import MemoryStore
from marketdata.store.store import Store

from tests.market import BTC, a_store, at, minutes

NOON = at("12:00")
SECOND = timedelta(seconds=1)


def counting(store: Store, clock: Clock, deadline: datetime) -> dict[str, object]:
    return {"deadline": str(deadline)}


def failing(store: Store, clock: Clock, deadline: datetime) -> dict[str, object]:
    raise StoreError("roll_up", "secret address")


def slow(store: Store, clock: Clock, deadline: datetime) -> dict[str, object]:
    assert isinstance(clock, FakeClock)
    clock.advance(timedelta(seconds=40))
    return {}


WORK = {"counting": counting, "failing": failing, "slow": slow}


def order(store: MemoryStore, name: str, **more: Any) -> JobRun:
    return order_job(store, name, NOON, jobs=tuple(WORK), trigger="cron", **more)


def run(store: MemoryStore, clock: FakeClock | None = None, seconds: int = 60, **jobs: Any) -> dict[str, object]:
    clock = clock or FakeClock(NOON)
    return run_ordered(store, clock, clock.now() + seconds * SECOND, jobs=jobs or WORK, exclusive=())


def listed(store: MemoryStore) -> list[tuple[str, RunState, str]]:
    """Oldest first."""
    return [(one.kind, one.state, one.error) for one in reversed(store.runs(now=NOON + SECOND, limit=10))]


def test_what_was_ordered_is_run_and_one_that_fails_keeps_no_other_from_it() -> None:
    store = a_store()
    for name in ("failing", "counting"):
        order(store, name)
    assert run(store) == {"done": 1, "failed": 1}
    assert listed(store) == [
        ("failing", RunState.FAILED, "the store did not do roll_up"),
        ("counting", RunState.SUCCEEDED, ""),
    ]
    assert run(store) == {"done": 0, "failed": 0}


def test_when_the_time_is_over_the_rest_waits_for_the_next_run() -> None:
    store, clock = a_store(), FakeClock(NOON)
    for _ in range(3):
        order(store, "slow")
    assert run(store, clock) == {"done": 2, "failed": 0}
    assert [state for _, state, _ in listed(store)][2] is RunState.QUEUED
    assert run(store, clock) == {"done": 1, "failed": 0}


def test_a_job_that_there_is_not_is_refused_when_it_is_ordered() -> None:
    with pytest.raises(NotFound) as refused:
        order(a_store(), "make_coffee")
    assert refused.value.choices == tuple(WORK)


def test_a_job_that_there_is_no_more_fails() -> None:
    store = a_store()
    order(store, "slow")
    assert run(store, counting=counting) == {"done": 0, "failed": 1}


def test_too_many_orders_are_refused() -> None:
    store = a_store()
    for _ in range(WAITING_MAX):
        order(store, "counting")
    with pytest.raises(Throttled):
        order(store, "counting")


def test_statistics_are_computed_of_the_markets_that_were_ordered() -> None:
    store = a_store()
    store.put_candles(minutes("10:00", "11:59"))
    store.roll_up()
    order_job(
        store,
        "roi_stats",
        NOON,
        jobs=("roi_stats",),
        trigger="manual",
        arguments={"symbols": [["coinbase", BTC.symbol]]},
    )
    clock = FakeClock(NOON)
    assert JOBS[ORDERED](store, clock, NOON + timedelta(minutes=1)) == {"done": 1, "failed": 0}
    (done,) = store.runs(now=NOON, limit=10)
    assert (done.kind, done.trigger, done.result["markets"]) == ("roi_stats", "manual", 1)
