"""The scheduled audit of coverage."""

from datetime import timedelta

from marketdata.clock import FakeClock

from functions.audit_coverage.handler import application
from tests.functions.calls import context, settings
from tests.market import a_store, at, minutes


def test_the_schedule_compares_as_many_months_as_history_is_wanted() -> None:
    store = a_store()
    store.put_candles(minutes("10:00", "10:05"))
    instruments = len(store.instruments())
    for days, months in (("31", 1), ("90", 3)):
        audit = application(store, settings(GAP_HISTORY_DAYS=days), FakeClock(at("12:00") + timedelta(days=int(days))))
        answered = audit({"job": "audit_coverage"}, context())
        assert (answered["status"], answered["result"]["faults"]) == ("success", 0)
        assert answered["result"]["spans"] == months * instruments
