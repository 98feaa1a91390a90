"""Alerts over the doors: what fires and who was told, by filter and cursor; and the function of the schedule."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from marketdata.clock import FakeClock
from marketdata.observe import Handler
from marketdata.store.answers import FeedStatus
from marketdata.store.memory import MemoryStore

from functions.alerts.handler import application as job_application
from functions.api.handler import application as api_application
from local.invocation import Context
from tests.functions.calls import call, event, get, settings
from tests.market import BTC, ETH, at
from tests.webhook_receiver import Receiver, Reply

NOW = at("12:00")
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Whom the settings name."""
    with Receiver() as one:
        yield one


class House:
    """Two markets, the scheduled function, the API, and a clock."""

    def __init__(self, receiver: Receiver, **environment: str) -> None:
        self.clock = FakeClock(NOW)
        self.store = MemoryStore()
        self.store.put_instruments([BTC, ETH])
        self.settings = settings(
            ALERT_WEBHOOK_URL=receiver.url,
            ALERT_WEBHOOK_SECRET=SECRET,
            MARKETDATA_LOCAL="1",
            ALERT_ALLOW_LOCAL="1",
            ALERT_POLL_SECONDS="0",
            **environment,
        )

    @property
    def api(self) -> Handler:
        return api_application(self.store, self.settings, self.clock)

    def minute(self, spooled: int = 0, **states: str) -> dict[str, Any]:
        """The feeds say how they are, the schedule fires, and a minute goes by."""
        for exchange, state in states.items():
            name = exchange.replace("_", "-")
            said = FeedStatus(name, "f", state, NOW, self.clock.now(), spooled=spooled, spool_max=1_000)
            self.store.put_feed_status(said)
        # A process of 58 seconds, as the catalog has it.
        job = job_application(self.store, self.settings, self.clock)
        answered = job({"job": "alerts"}, Context("alerts", 58, 256))
        self.clock.advance(timedelta(minutes=1))
        return answered


def test_the_function_judges_tells_and_counts(receiver: Receiver) -> None:
    house = House(receiver)
    results = [house.minute(coinbase="down")["result"] for _ in range(3)]
    assert [(one["fired"], one["messages"], one["delivered"]) for one in results] == [(0, 0, 0), (1, 0, 0), (0, 1, 1)]
    assert results[-1]["firing"] == 1
    (got,) = receiver.received
    assert got.json["severity"] == "critical"
    assert got.json["message"] == "[FIRING] coinbase: the feed is not connected"
    assert {"severity", "message", "context", "service", "timestamp"} == set(got.json)


def test_a_minimum_severity_keeps_the_others_away(receiver: Receiver) -> None:
    house = House(receiver, ALERT_MIN_SEVERITY="critical")
    for _ in range(6):
        house.minute(900, coinbase="live")
    assert [one["rule"] for one in get(house.api, "/v1/alerts").json["data"]] == ["spool.filling"]
    assert receiver.received == []


def test_alerts_are_answered_with_what_became_of_telling_them(receiver: Receiver) -> None:
    replies = [Reply(500), Reply(200)]
    receiver.replies = lambda _: replies.pop(0)
    house = House(receiver)
    for _ in range(4):
        house.minute(coinbase="down")
    (alert,) = get(house.api, "/v1/alerts").json["data"]
    deliveries = alert.pop("deliveries")
    identity = alert.pop("id")
    assert alert == {
        "rule": "feed.down",
        "dedup_key": "coinbase:feed.down",
        "severity": "critical",
        "state": "firing",
        "flapping": False,
        "summary": "coinbase: the feed is not connected",
        "exchange": "coinbase",
        "symbol": None,
        "timeframe": None,
        "started_at": "2026-08-09T12:00:00Z",
        "created_at": "2026-08-09T12:01:00Z",
        "resolved_at": None,
        "seconds": None,
        "context": {},
        "told": "firing",
        "told_at": "2026-08-09T12:02:00Z",
    }
    (delivery,) = deliveries
    assert (delivery["target"], delivery["state"], delivery["next_at"]) == ("environment", "delivered", None)
    assert [(one["attempt"], one["status"], one["error"]) for one in delivery["tries"]] == [
        (1, 500, "HTTP 500"),
        (2, 200, ""),
    ]
    assert delivery["id"] == receiver.received[0].id == receiver.received[1].id
    assert receiver.received[0].json["context"]["alert_id"] == identity
    assert receiver.url not in json.dumps([alert, deliveries])
    assert SECRET not in json.dumps([alert, deliveries])


def test_alerts_are_found_by_filters_and_pages_go_on_by_cursor(receiver: Receiver) -> None:
    house = House(receiver)
    for _ in range(3):
        house.minute(coinbase="down", coinbase_simulated="stale")
    whole = get(house.api, "/v1/alerts").json["data"]
    assert [one["rule"] for one in whole] == ["feed.down", "feed.stalled"]
    assert get(house.api, "/v1/alerts", exchange="coinbase").json["data"] == whole[:1]
    assert get(house.api, "/v1/alerts", rule="feed.stalled", state="firing").json["data"] == whole[1:]
    assert get(house.api, "/v1/alerts", severity="info,warning").json["data"] == []
    assert get(house.api, "/v1/alerts", state="resolved").json["data"] == []
    first = get(house.api, "/v1/alerts", limit="1").json
    assert first["data"] == whole[:1]
    assert get(house.api, "/v1/alerts", limit="1", cursor=first["next_cursor"]).json["data"] == whole[1:]
    assert call(house.api, event("GET", "/v1/alerts", {"rule": "x", "cursor": first["next_cursor"]})).status == 400


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"state": "pending"}, "invalid-parameter"),
        ({"severity": "loud"}, "invalid-parameter"),
        ({"limit": "1001"}, "invalid-parameter"),
        ({"target": "x"}, "invalid-parameter"),
        ({"symbol": "NO-ONE"}, "unknown-symbol"),
        ({"exchange": "nowhere"}, "unknown-exchange"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(receiver: Receiver, query: dict[str, str], problem: str) -> None:
    assert call(House(receiver).api, event("GET", "/v1/alerts", query)).problem == f"/problems/{problem}"
