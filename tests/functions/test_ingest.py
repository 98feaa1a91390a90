"""The ingest door: who may come in, and what they are told."""

import base64
import json

import pytest
from marketdata.clock import FakeClock
from marketdata.model.timeframe import M1
from marketdata.observe import Handler
from marketdata.store.memory import MemoryStore

from functions.ingest.handler import application
from tests.functions.calls import Answer, call, event, settings
from tests.market import BTC, a_store, at

TRADE = {"symbol": "BTC-USD", "id": 1, "time": "2026-08-09T10:00:00Z", "price": "100.5", "size": 2, "side": "buy"}
BODY = json.dumps({"exchange": "coinbase", "trades": [TRADE]})


def ingest_over(store: MemoryStore, **environment: str) -> Handler:
    return application(store, settings(**environment), FakeClock(at("12:00")))


def push(handler: Handler, headers: dict[str, str], body: str = BODY) -> Answer:
    return call(handler, event("POST", "/v1/ingest", headers=headers, body=body))


@pytest.fixture
def store() -> MemoryStore:
    """A store that follows BTC-USD."""
    return a_store()


@pytest.fixture
def ingest(store: MemoryStore) -> Handler:
    """The door with two keys."""
    return ingest_over(store, INGEST_API_KEYS="first-key, second-key")


@pytest.mark.parametrize(
    "headers", [{"x-api-key": "first-key"}, {"x-api-key": "second-key"}, {"authorization": "Bearer second-key"}]
)
def test_any_key_lets_in_by_either_header(ingest: Handler, store: MemoryStore, headers: dict[str, str]) -> None:
    answer = push(ingest, headers)
    assert (answer.status, answer.json) == (202, {"accepted": 1, "duplicates": 0, "rejected": []})
    assert store.candles(BTC, M1, start=None, end=None, limit=10)[0].volume == 2


@pytest.mark.parametrize(
    "headers",
    [{}, {"x-api-key": ""}, {"x-api-key": "third-key"}, {"authorization": "first-key"}, {"x-api-key": "first-key,"}],
)
def test_no_key_or_another_does_not_and_nothing_is_written(
    ingest: Handler, store: MemoryStore, headers: dict[str, str]
) -> None:
    answer = push(ingest, headers)
    assert (answer.status, answer.problem) == (401, "/problems/unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert store.candles(BTC, M1, start=None, end=None, limit=10) == []


@pytest.mark.parametrize("headers", [{}, {"x-api-key": ""}, {"x-api-key": "anything"}])
@pytest.mark.parametrize("setting", [{}, {"INGEST_API_KEYS": " , "}])
def test_without_a_key_set_the_door_is_closed_and_names_the_setting(
    store: MemoryStore, headers: dict[str, str], setting: dict[str, str]
) -> None:
    answer = push(ingest_over(store, **setting), headers)
    assert (answer.status, answer.problem) == (503, "/problems/not-configured")
    assert "INGEST_API_KEYS" in answer.json["detail"]


def test_on_ones_own_machine_no_key_set_is_open_and_a_key_set_is_asked_for(store: MemoryStore) -> None:
    assert push(ingest_over(store, MARKETDATA_LOCAL="1"), {}).status == 202
    assert push(ingest_over(store, MARKETDATA_LOCAL="1", INGEST_API_KEYS="first-key"), {}).status == 401


def test_the_good_are_kept_and_the_others_explained(ingest: Handler) -> None:
    body = json.dumps({"exchange": "coinbase", "trades": [TRADE | {"price": "-1"}, TRADE]})
    answer = push(ingest, {"x-api-key": "first-key"}, body)
    assert (answer.status, answer.json["accepted"]) == (202, 1)
    assert [(one["index"], one["field"]) for one in answer.json["rejected"]] == [(0, "price")]


def test_a_body_in_base64_is_the_same_body(ingest: Handler) -> None:
    request = event("POST", "/v1/ingest", headers={"x-api-key": "first-key"})
    request |= {"body": base64.b64encode(BODY.encode()).decode(), "isBase64Encoded": True}
    assert call(ingest, request).json["accepted"] == 1


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        ("", 400, "/problems/invalid-parameter"),
        ("{", 400, "/problems/invalid-parameter"),
        ('{"exchange":"kraken","trades":[]}', 404, "/problems/unknown-exchange"),
        (json.dumps({"exchange": "coinbase", "trades": [TRADE] * 1001}), 413, "/problems/too-large"),
        (" " * 1_000_001, 413, "/problems/too-large"),
    ],
)
def test_a_request_that_cannot_be_taken_is_refused(ingest: Handler, body: str, status: int, problem: str) -> None:
    answer = push(ingest, {"x-api-key": "first-key"}, body)
    assert (answer.status, answer.problem) == (status, problem)


def test_who_may_not_come_in_is_not_told_what_is_wrong_with_the_body(ingest: Handler) -> None:
    assert push(ingest, {}, "{").status == 401
