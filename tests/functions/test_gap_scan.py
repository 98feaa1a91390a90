"""The scheduled scan for gaps."""

from marketdata.clock import FakeClock
from marketdata.model.gap import GapState
from marketdata.model.span import Span

from functions.gap_scan.handler import application
from tests.functions.calls import context, settings
from tests.market import BTC, a_store, at, minutes


def test_the_schedule_puts_what_is_missing_on_the_ledger_as_the_settings_say() -> None:
    store = a_store()
    store.put_candles(minutes("00:00", "10:00") + minutes("10:05", "11:50"))
    scan = application(store, settings(GAP_HISTORY_DAYS="1", GAP_GRACE_SECONDS="600"), FakeClock(at("12:00")))
    answered = scan({"job": "gap_scan", "time": "2026-08-09T12:00:00Z"}, context())
    assert (answered["status"], answered["job"], answered["trigger"]) == ("success", "gap_scan", "schedule")
    found = store.gaps(instrument=BTC, states=[GapState.OPEN], limit=10)
    noon_before = at("12:00").replace(day=8)
    assert [gap.span for gap in found] == [Span(noon_before, at("00:00")), Span(at("10:00"), at("10:05"))]
    assert answered["result"]["unresolved"] == 3
