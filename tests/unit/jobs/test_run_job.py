"""Jobs by name."""

import pytest
from marketdata.clock import FakeClock
from marketdata.errors import NotFound
from marketdata.jobs.run_job import JOBS, run_job

from tests.market import a_store, at, minutes


def test_a_run_says_what_was_done_when_and_why() -> None:
    store = a_store()
    store.put_candles(minutes("10:00", "10:01"))
    run = run_job("roll_up", store, FakeClock(at("12:00")), at("13:00"), trigger="cron")
    document = run.document()
    assert document["result"] == run.result
    assert run.result["entries"] == 1
    assert {name: document[name] for name in ("status", "job", "trigger", "started_at", "completed_at")} == {
        "status": "success",
        "job": "roll_up",
        "trigger": "cron",
        "started_at": "2026-08-09T12:00:00Z",
        "completed_at": "2026-08-09T12:00:00Z",
    }


def test_a_job_of_no_such_name_is_told_which_there_are() -> None:
    with pytest.raises(NotFound) as refused:
        run_job("make_coffee", a_store(), FakeClock(at("12:00")), at("13:00"), trigger="cron")
    assert (refused.value.field, refused.value.choices) == ("job", tuple(JOBS))
