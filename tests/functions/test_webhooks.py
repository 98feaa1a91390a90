"""The webhooks' door: the seeds' paths and shapes, who may come in, and requests that carry a key of their own."""

import json
from typing import Any

import pytest
from marketdata.clock import FakeClock
from marketdata.observe import Handler
from marketdata.store.memory import MemoryStore

from functions.ingest.handler import application
from tests.functions.calls import Answer, call, event, settings
from tests.market import at

KEY = {"x-api-key": "dev-key"}
SYMBOLS = {"items": [{"symbol": "BTCUSDT", "base": "BTC", "quote": "USDT", "active": True}]}
TICK = {"symbol": "BTCUSDT", "price": 65000.1, "volume": 0.5, "ts": 1786269600250}
TICKS_PATHS = ("/v1/webhooks/ticks", "/api/v1/webhooks/ticks")
SYMBOLS_PATHS = ("/v1/webhooks/symbols", "/api/v1/webhooks/symbols")


@pytest.fixture
def door() -> Handler:
    """The door of an empty store, with one key."""
    return application(MemoryStore(), settings(INGEST_API_KEYS="dev-key"), FakeClock(at("12:00")))


def post(door: Handler, path: str, body: Any, headers: dict[str, str] = KEY) -> Answer:
    return call(door, event("POST", path, headers=headers, body=json.dumps(body)))


def counted(answer: Answer) -> tuple[int, int, int]:
    assert answer.status == 202, answer
    said = answer.json
    assert set(said) == {"accepted", "duplicates", "rejected"}
    return said["accepted"], said["duplicates"], len(said["rejected"])


@pytest.mark.parametrize("symbols_path", SYMBOLS_PATHS)
@pytest.mark.parametrize("ticks_path", TICKS_PATHS)
def test_a_symbol_is_told_of_and_its_ticks_are_counted(door: Handler, symbols_path: str, ticks_path: str) -> None:
    assert counted(post(door, symbols_path, SYMBOLS)) == (1, 0, 0)
    assert counted(post(door, ticks_path, TICK)) == (1, 0, 0)
    assert counted(post(door, ticks_path, {"items": [TICK, TICK | {"price": -1}, TICK | {"symbol": "NO"}]})) == (
        0,
        1,
        2,
    )


def test_what_is_rejected_says_where_and_why(door: Handler) -> None:
    post(door, SYMBOLS_PATHS[0], SYMBOLS)
    (rejected,) = post(door, TICKS_PATHS[0], [TICK | {"price": -1}]).json["rejected"]
    assert (rejected["index"], rejected["field"]) == (0, "price")
    assert "above zero" in rejected["reason"]


@pytest.mark.parametrize("path", [*TICKS_PATHS, *SYMBOLS_PATHS])
@pytest.mark.parametrize("headers", [{}, {"x-api-key": "another"}, {"authorization": "Bearer another"}])
def test_nobody_comes_in_without_a_key(door: Handler, path: str, headers: dict[str, str]) -> None:
    answer = post(door, path, SYMBOLS, headers)
    assert (answer.status, answer.problem) == (401, "/problems/unauthorized")


@pytest.mark.parametrize("path", [*TICKS_PATHS, *SYMBOLS_PATHS])
def test_without_a_key_set_the_door_is_closed(path: str) -> None:
    closed = application(MemoryStore(), settings(), FakeClock(at("12:00")))
    assert post(closed, path, SYMBOLS).problem == "/problems/not-configured"


def test_a_request_that_is_sent_again_under_its_key_is_answered_the_same(door: Handler) -> None:
    post(door, SYMBOLS_PATHS[0], SYMBOLS)
    named = KEY | {"idempotency-key": "batch-1"}
    first, again = (post(door, TICKS_PATHS[0], [TICK], named) for _ in range(2))
    assert counted(first) == counted(again) == (1, 0, 0)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert post(door, TICKS_PATHS[1], [TICK], named).headers["idempotent-replayed"] == "true"
    assert counted(post(door, TICKS_PATHS[0], [TICK], KEY | {"idempotency-key": "batch-2"})) == (0, 1, 0)


def test_a_key_of_another_request_is_refused(door: Handler) -> None:
    post(door, SYMBOLS_PATHS[0], SYMBOLS)
    named = KEY | {"idempotency-key": "batch-1"}
    post(door, TICKS_PATHS[0], [TICK], named)
    answer = post(door, TICKS_PATHS[0], [TICK | {"price": 1}], named)
    assert (answer.status, answer.problem) == (422, "/problems/idempotency-key-reused")


@pytest.mark.parametrize(("body", "status"), [("", 400), ("{", 400), ([{}] * 1_001, 413)])
def test_a_body_that_cannot_be_taken_is_refused_whole(door: Handler, body: Any, status: int) -> None:
    sent = body if isinstance(body, str) else json.dumps(body)
    assert call(door, event("POST", TICKS_PATHS[0], headers=KEY, body=sent)).status == status
