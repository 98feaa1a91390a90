"""What routes answer and take has the shapes that they declare: no property more, none less, none of another kind."""

import json
from typing import Any
from uuid import UUID

import msgspec
import pytest
from marketdata.clock import FakeClock
from marketdata.compute.alert_machine import Resolved
from marketdata.model.alert import Alert, AlertState, Severity, Told
from marketdata.model.alert_book import Book
from marketdata.model.alert_message import AlertMessage, MessageState, Try, Verdict
from marketdata.model.alert_target import Target, TargetKind
from marketdata.model.export import ExportQuestion
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.observe import Handler
from marketdata.store.alerts import AlertChanges
from marketdata.store.memory import MemoryStore

from functions.api.handler import application as api_application
from functions.cron.handler import application as cron_application
from functions.ingest.handler import application as ingest_application
from functions.roi_stats.handler import application as statistics_application
from infra.catalog import DEFAULT_PATH, ROUTES
from local.openapi import draw
from tests.functions.calls import Answer, call, context, event, settings
from tests.functions.schema import strange
from tests.market import BTC, a_store, at, minutes

NOW = at("12:00")
LOCAL = settings(MARKETDATA_LOCAL="1", EXPORT_FOLDER="exports")
EXPORT = f"{7:032x}"
APPLICATIONS = {"api": api_application, "cron": cron_application, "ingest": ingest_application}
QUERIES = {
    "/v1/candles": {"symbol": "BTC-USD", "start": "2026-08-09T09:55:00Z", "end": "2026-08-09T10:10:00Z"},
    "/v1/candles/latest": {"symbol": "BTC-USD"},
    "/v1/candles/count": {"symbol": "BTC-USD"},
    "/api/metadata": {"symbol": "BTC-USD"},
    "/candles": {"symbol": "BTC-USD", "start": "2026-08-09T10:00:00Z", "end": "2026-08-09T10:10:00Z"},
    "/candles/latest": {"symbol": "BTC-USD", "limit": "3"},
    "/api/candles": {"symbol": "BTC-USD", "timeframe": "1m", "from": "1786269600", "to": "1786270199"},
    "/v1/gaps": {"state": "all"},
}
TRADE = {"symbol": "BTC-USD", "id": 7, "side": "buy", "time": "2026-08-09T11:58:00Z", "price": "100.1", "size": "1"}
TICK = {"symbol": "BTCUSDT", "price": 100.5, "size": "0.25", "time": 1786276680}
BODIES: dict[str, Any] = {
    "/v1/exports": {"symbol": "BTC-USD", "start": "2026-08-09T10:00:00Z"},
    "/v1/ingest": {"exchange": "coinbase", "trades": [TRADE]},
    "/api/ingest": {},
    "/v1/webhooks/ticks": {"items": [TICK, {"symbol": "NOBODY"}]},
    "/api/v1/webhooks/ticks": [TICK],
    "/v1/webhooks/symbols": {"items": [{"symbol": "BTCUSDT", "base": "BTC", "quote": "USDT", "active": True}]},
    "/api/v1/webhooks/symbols": {"symbol": "ETHUSDT", "base": "ETH", "quote": "USDT"},
}
NAMED = [route for route in ROUTES if route.path != DEFAULT_PATH]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document, as the handlers declare it now."""
    drawn: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(draw()))
    return drawn


@pytest.fixture(scope="module")
def handlers() -> dict[str, Handler]:
    """The functions behind routes, over a store that holds something of everything."""
    store, clock = a_filled_store(), FakeClock(NOW)
    return {name: compose(store, LOCAL, clock) for name, compose in APPLICATIONS.items()}


def a_filled_store() -> MemoryStore:
    """Two hours of candles, a gap, ticks, statistics, a run, and an alert that was told at the second try."""
    store, clock = a_store(), FakeClock(NOW)
    store.put_candles(minutes("10:00", "11:55"))
    store.record_gaps(BTC, M1, [Span(at("09:57"), at("09:59"))], cause="scan", found_at=NOW)
    statistics_application(store, LOCAL, clock)({"job": "roi_stats"}, context())
    call(ingest_application(store, LOCAL, clock), event("POST", "/v1/ingest", body=json.dumps(BODIES["/v1/ingest"])))
    question = ExportQuestion("coinbase", "BTC-USD", "1m", at("10:00"), NOW)
    store.order_export(EXPORT, "ann", question, now=NOW, expires_at=at("23:00"))
    raise_one(store)
    return store


def raise_one(store: MemoryStore) -> None:
    """An alert that has ended, and a message about it with a try that failed."""
    store.put_target(Target("hook", TargetKind.GENERIC, "https://hook.example/", ("whsec_x",)))
    alert = Alert(
        UUID(int=1), "k", "feed.down", Severity.CRITICAL, AlertState.FIRING, "down", NOW, BTC.exchange, context={"a": 1}
    )
    notice = {"title": "down", "alerts": [{"alert_id": str(alert.id)}]}
    message = AlertMessage(UUID(int=2), "hook", notice, alert.severity, NOW, NOW)
    store.commit_alerts(0, AlertChanges(Book(), fired=(alert,), messages=(message,)), now=NOW)
    (leased,) = store.claim_messages("w", now=NOW, lease_seconds=60, limit=1)
    store.record_try(leased, Verdict(MessageState.WAITING, Try(1, NOW, None, "no answer", 0.5), next_at=NOW))
    changes = AlertChanges(Book(), resolved=(Resolved(alert.id, NOW),), told=((alert.id, Told.RESOLVED),))
    store.commit_alerts(1, changes, now=NOW)


@pytest.mark.parametrize(("method", "path", "function"), [(one.method, one.path, one.function) for one in NAMED])
def test_an_answer_has_the_declared_shape(
    document: dict[str, Any], handlers: dict[str, Handler], method: str, path: str, function: str
) -> None:
    asked = path.replace("{symbol}", "BTC-USD").replace("{job}", "roll_up")
    asked = asked.replace("{file}", "start.js").replace("{id}", EXPORT)
    body = json.dumps(BODIES[path]) if path in BODIES else None
    answer = call(handlers[function], event(method, asked, QUERIES.get(path), body=body))
    declared = document["paths"][path][method.lower()]["responses"]
    assert answer.status < 300, answer
    if not answer.headers["content-type"].startswith("application/json"):
        assert answer.headers["content-type"].partition(";")[0] in declared["200"]["content"]
        return
    assert strange(answer.json, schema_of(answer, declared), document) == []
    records = answer.json if isinstance(answer.json, list) else answer.json.get("data")
    assert records != [], "an empty page shows nothing of its records"


@pytest.mark.parametrize("path", BODIES)
def test_a_body_that_is_taken_has_the_declared_shape(document: dict[str, Any], path: str) -> None:
    schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    sent = BODIES[path]
    good = sent | {"items": sent["items"][:1]} if isinstance(sent, dict) and "items" in sent else sent
    assert strange(good, schema, document) == []


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/v1/candles", {}, 400),
        ("/v1/candles", {"symbol": "nobody"}, 404),
        ("/v1/candles/latest", {"symbol": "BTC-USD", "limit": "0"}, 400),
        ("/v1/instruments", {"x": "1"}, 400),
    ],
)
def test_a_problem_has_the_declared_shape(
    document: dict[str, Any], handlers: dict[str, Handler], path: str, query: dict[str, str], status: int
) -> None:
    answer = call(handlers["api"], event("GET", path, query))
    assert answer.status == status
    reference = document["paths"][path]["get"]["responses"][str(status)]["$ref"]
    refusals = {reference.rpartition("/")[2]: document["components"]["responses"][reference.rpartition("/")[2]]}
    declared = {str(status): next(iter(refusals.values()))}
    assert strange(answer.json, schema_of(answer, declared), document) == []


def schema_of(answer: Answer, declared: dict[str, Any]) -> dict[str, Any]:
    """The schema that the answer's status and media type have."""
    schema: dict[str, Any] = declared[str(answer.status)]["content"][answer.headers["content-type"]]["schema"]
    return schema
