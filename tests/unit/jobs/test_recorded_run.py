"""A run on the list of runs, and what the list costs the job when the store is away."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from marketdata.clock import FakeClock
from marketdata.errors import RemoteThrottled, StoreError
from marketdata.jobs.recorded_run import LEASE_MARGIN, RecordedRun, bounded
from marketdata.model.job_run import JobRun, RunState
from marketdata.store.memory import MemoryStore

from tests.market import MINUTE, a_store, at

NOON = at("12:00")


class AwayStore(MemoryStore):
    """A store that begins runs and cannot be reached afterwards."""

    def renew_run(self, run: JobRun, *, now: datetime, lease_seconds: float) -> bool:
        raise StoreError("renew_run", "nobody there")

    def finish_run(
        self, run: JobRun, *, now: datetime, state: RunState, result: Mapping[str, Any], error: str = ""
    ) -> bool:
        raise StoreError("finish_run", "nobody there")


def begun(store: MemoryStore, clock: FakeClock, **changes: Any) -> RecordedRun:
    return RecordedRun(store, clock, "gap_scan", lease=MINUTE, trigger="cron", **changes)


def the_run(store: MemoryStore, at_time: datetime = NOON) -> JobRun:
    (run,) = store.runs(now=at_time, limit=10)
    return run


def test_a_run_is_on_the_list_from_its_beginning() -> None:
    store, clock = a_store(), FakeClock(NOON)
    run = begun(store, clock)
    assert (the_run(store).state, the_run(store).lease_until) == (RunState.RUNNING, NOON + MINUTE + LEASE_MARGIN)
    clock.advance(MINUTE)
    run.renew()
    run.succeed({"recorded": 2})
    assert the_run(store).lease_until == NOON + 2 * MINUTE + LEASE_MARGIN
    assert (the_run(store).state, the_run(store).result) == (RunState.SUCCEEDED, {"recorded": 2})
    assert the_run(store).finished_at == NOON + MINUTE


def test_two_runs_are_never_the_same_worker() -> None:
    store, clock = a_store(), FakeClock(NOON)
    begun(store, clock)
    begun(store, clock)
    assert len({run.worker for run in store.runs(now=NOON, limit=10)}) == 2


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RemoteThrottled("coinbase", "HTTP 429", NOON), "coinbase: HTTP 429"),
        (StoreError("candles", "http://10.0.0.7 refused the connection"), "the store did not do candles"),
        (ZeroDivisionError("postgres://user:password@host"), "ZeroDivisionError"),
    ],
)
def test_why_a_run_failed_is_said_without_secrets(error: Exception, said: str) -> None:
    store = a_store()
    begun(store, FakeClock(NOON)).fail(error)
    assert (the_run(store).state, the_run(store).error) == (RunState.FAILED, said)


def test_an_operator_who_interrupts_a_run_ends_it() -> None:
    store = a_store()
    with pytest.raises(KeyboardInterrupt), begun(store, FakeClock(NOON)):
        raise KeyboardInterrupt
    assert (the_run(store).state, the_run(store).error) == (RunState.FAILED, "KeyboardInterrupt")


def test_a_store_that_is_away_costs_a_line_of_the_list_and_no_work(caplog: pytest.LogCaptureFixture) -> None:
    store = AwayStore()
    run = begun(store, FakeClock(NOON))
    with caplog.at_level(logging.WARNING):
        run.renew()
        run.succeed({})
    assert [record.__dict__["moment"] for record in caplog.records] == ["renew", "finish"]
    assert the_run(store, NOON + timedelta(hours=1)).state is RunState.LOST


def test_a_run_that_outlived_its_lease_says_so_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    store, clock = a_store(), FakeClock(NOON)
    run = begun(store, clock)
    clock.advance(MINUTE + LEASE_MARGIN)
    run.succeed({"recorded": 2})
    assert "outlived" in caplog.text
    assert (the_run(store, clock.now()).state, the_run(store, clock.now()).result) == (RunState.LOST, {})


def test_of_a_result_that_is_too_long_the_counts_are_kept() -> None:
    many = [{"symbol": f"S{number}-USD"} for number in range(2_000)]
    assert bounded({"recorded": 2, "instruments": many}) == {"recorded": 2, "left_out": ["instruments"]}
    assert bounded({f"count {number}": "x" * 900 for number in range(100)}) == {"left_out": ["everything"]}
    assert bounded({"since": NOON}) == {"since": "2026-08-09T12:00:00Z"}
