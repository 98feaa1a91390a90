"""The scheduled rollup."""

from marketdata.clock import FakeClock
from marketdata.model.timeframe import timeframe_named

from functions.roll_up.handler import application
from tests.functions.calls import context, settings
from tests.market import BTC, a_store, at, minutes


def test_the_schedule_runs_the_job_and_gets_its_counts() -> None:
    store = a_store()
    store.put_candles(minutes("10:00", "10:05"))
    roll_up = application(store, settings(), FakeClock(at("12:00")))
    answered = roll_up({"job": "roll_up", "time": "2026-08-09T12:00:00Z"}, context())
    assert (answered["status"], answered["trigger"], answered["result"]["entries"]) == ("success", "schedule", 1)
    assert len(store.candles(BTC, timeframe_named("5m"), start=None, end=None, limit=10)) == 1
