"""The scheduled fetch of snapshots."""

from marketdata.clock import FakeClock

from functions.fetch_snapshots.handler import application
from tests.functions.calls import context, settings
from tests.market import a_store, at


def test_without_coins_the_schedule_asks_nobody_and_succeeds() -> None:
    fetch = application(a_store(), settings(COINGECKO_REST_URL="http://127.0.0.1:9"), FakeClock(at("12:00")))
    answered = fetch({"job": "fetch_snapshots"}, context())
    assert (answered["status"], answered["result"]["snapshots"]) == ("success", 0)
