"""Exports over HTTP: ordered by whoever may, answered at once, found when they are done."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from marketdata.clock import FakeClock
from marketdata.observe import Handler
from marketdata.store.file_shelf import FolderShelf
from marketdata.store.memory import MemoryStore

from functions.api.handler import application
from tests.functions.calls import Answer, call, event, get, settings
from tests.market import a_store, at, minutes

WANTED = {"symbol": "btc/usd", "tf": "1m", "from": "2026-08-09T10:00:00Z", "end": "2026-08-09T11:00:00Z"}
NOTHING: Mapping[str, object] = {}
KEY = {"x-api-key": "first-key"}


@pytest.fixture
def store() -> MemoryStore:
    store = a_store()
    store.put_candles(minutes("10:00", "11:00"))
    while store.roll_up():
        pass
    return store


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("12:00"))


@pytest.fixture
def api(store: MemoryStore, clock: FakeClock, tmp_path: Path) -> Handler:
    return application(store, settings(INGEST_API_KEYS="first-key", EXPORT_FOLDER=str(tmp_path)), clock)


def order(api: Handler, headers: dict[str, str] = KEY, changes: Mapping[str, object] = NOTHING) -> Answer:
    return call(api, event("POST", "/v1/exports", headers=headers, body=json.dumps({**WANTED, **changes})))


def test_an_export_is_ordered_written_and_found(
    api: Handler, store: MemoryStore, clock: FakeClock, tmp_path: Path
) -> None:
    from marketdata.jobs.export import export

    ordered = order(api)
    assert (ordered.status, ordered.json["state"], ordered.json["url"]) == (202, "queued", None)
    assert ordered.json["progress"] == {"rows": 0, "until": "2026-08-09T10:00:00Z", "share": 0.0}
    assert ordered.json["candles"] == {
        "exchange": "coinbase",
        "symbol": "BTC-USD",
        "timeframe": "1m",
        "start": "2026-08-09T10:00:00Z",
        "end": "2026-08-09T11:00:00Z",
    }
    place = ordered.headers["location"]
    assert get(api, place).json["state"] == "queued"
    export(store, clock, clock.now() + timedelta(minutes=1), shelf=FolderShelf(tmp_path))
    done = get(api, place)
    assert (done.status, done.json["state"], done.json["rows"], done.json["condition"]) == (
        200,
        "done",
        60,
        "available",
    )
    assert done.json["progress"] == {"rows": 60, "until": "2026-08-09T11:00:00Z", "share": 1.0}
    assert done.json["url"] == f"/files/{ordered.json['id']}.parquet"
    assert (tmp_path / f"{ordered.json['id']}.parquet").stat().st_size == done.json["bytes"]


def test_the_same_order_under_the_same_key_is_the_same_export_and_another_is_refused(api: Handler) -> None:
    keyed = KEY | {"idempotency-key": "an-order"}
    first, again = order(api, keyed), order(api, keyed)
    assert (first.json["id"], again.headers["idempotent-replayed"]) == (again.json["id"], "true")
    other = order(api, keyed, {"tf": "5m"})
    assert (other.status, other.problem) == (422, "/problems/idempotency-key-reused")


def test_nobody_orders_without_a_key_but_at_home(api: Handler, store: MemoryStore, clock: FakeClock) -> None:
    assert order(api, {}).status == 401
    at_home = application(store, settings(MARKETDATA_LOCAL="1", EXPORT_FOLDER="exports"), clock)
    assert order(at_home, {}).status == 202


def test_without_a_place_for_files_nobody_orders(store: MemoryStore, clock: FakeClock) -> None:
    answer = order(application(store, settings(MARKETDATA_LOCAL="1"), clock))
    assert (answer.status, answer.problem) == (503, "/problems/not-configured")
    assert "EXPORT_BUCKET" in answer.json["detail"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"from": None}, "start"),
        ({"from": "2026-08-09T11:00:00Z"}, "end"),
        ({"limit": 5}, "limit"),
        ({"tf": "7h"}, "timeframe"),
        ({"symbol": None}, "symbol"),
    ],
)
def test_a_wrong_order_names_what_is_wrong(api: Handler, changes: dict[str, object], field: str) -> None:
    answer = order(api, changes=changes)
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, field)


@pytest.mark.parametrize("body", ["", "[]", "{", '{"symbol": {}}'])
def test_a_body_that_is_no_order_is_refused(api: Handler, body: str) -> None:
    answer = call(api, event("POST", "/v1/exports", headers=KEY, body=body))
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "body")


@pytest.mark.parametrize("id", ["x", "0" * 32, "0" * 33])
def test_an_export_that_is_not_there_is_not_found(api: Handler, id: str) -> None:
    assert get(api, f"/v1/exports/{id}").status == 404
