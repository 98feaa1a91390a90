"""The operator's door to the jobs."""

import pytest
from marketdata.clock import FakeClock
from marketdata.model.timeframe import timeframe_named
from marketdata.observe import Handler
from marketdata.store.memory import MemoryStore

from functions.api.handler import application as api_application
from functions.cron.handler import application
from functions.ordered.handler import application as ordered_application
from tests.functions.calls import Answer, call, context, event, get, settings
from tests.market import BTC, a_store, at, minutes

RIGHT = {"authorization": "Bearer a-cron-secret"}


def cron_over(store: MemoryStore, **environment: str) -> Handler:
    return application(store, settings(**environment), FakeClock(at("12:00")))


def run(handler: Handler, headers: dict[str, str], job: str = "roll_up", method: str = "POST") -> Answer:
    return call(handler, event(method, f"/v1/cron/{job}", headers=headers))


@pytest.fixture
def store() -> MemoryStore:
    """A store with a queue of changes."""
    store = a_store()
    store.put_candles(minutes("10:00", "10:05"))
    return store


@pytest.fixture
def cron(store: MemoryStore) -> Handler:
    """The door with its secret."""
    return cron_over(store, CRON_SECRET="a-cron-secret")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_job_runs_and_says_what_it_did(cron: Handler, store: MemoryStore, method: str) -> None:
    answer = run(cron, RIGHT, method=method)
    assert answer.status == 200
    assert answer.json == {
        "status": "success",
        "job": "roll_up",
        "result": {
            "entries": 1,
            "rounds": 2,
            "drained": True,
            "pruned": 0,
            "busy": False,
            "room_until": "2026-08-16T12:00:00Z",
        },
        "started_at": "2026-08-09T12:00:00Z",
        "completed_at": "2026-08-09T12:00:00Z",
        "trigger": "cron",
    }
    assert len(store.candles(BTC, timeframe_named("5m"), start=None, end=None, limit=10)) == 1


def test_a_call_that_is_sent_again_under_its_key_runs_no_job_and_hears_the_same(
    cron: Handler, store: MemoryStore
) -> None:
    keyed = RIGHT | {"idempotency-key": "at-noon"}
    first, again = run(cron, keyed), run(cron, keyed)
    assert first.json == again.json
    assert [answer.headers.get("idempotent-replayed") for answer in (first, again)] == [None, "true"]
    assert run(cron, RIGHT).json["result"]["entries"] == 0
    other = run(cron, keyed, job="gap_scan")
    assert (other.status, other.problem) == (422, "/problems/idempotency-key-reused")


def test_who_does_not_wait_is_told_where_to_ask(cron: Handler, store: MemoryStore) -> None:
    hurried = RIGHT | {"prefer": "respond-async"}
    answer = run(cron, hurried)
    assert (answer.status, answer.headers["preference-applied"]) == (202, "respond-async")
    assert (answer.json["kind"], answer.json["state"], answer.json["trigger"]) == ("roll_up", "queued", "cron")
    assert store.candles(BTC, timeframe_named("5m"), start=None, end=None, limit=10) == []
    place = answer.headers["location"]
    assert place == f"/v1/jobs?id={answer.json['id']}"
    api = api_application(store, settings(), FakeClock(at("12:00")))
    asked = place.partition("=")[2]
    assert [one["state"] for one in get(api, "/v1/jobs", id=asked).json["data"]] == ["queued"]
    ordered = ordered_application(store, settings(), FakeClock(at("12:00")))
    done = ordered({"job": "ordered", "time": "2026-08-09T12:00:00Z"}, context())
    assert done["result"] == {"done": 1, "failed": 0}
    (told,) = get(api, "/v1/jobs", id=asked).json["data"]
    assert (told["state"], told["result"]["entries"]) == ("succeeded", 1)
    assert len(store.candles(BTC, timeframe_named("5m"), start=None, end=None, limit=10)) == 1


def test_an_order_that_is_sent_again_under_its_key_is_one_order(cron: Handler, store: MemoryStore) -> None:
    keyed = RIGHT | {"prefer": "respond-async", "idempotency-key": "at-noon"}
    first, again = run(cron, keyed), run(cron, keyed)
    assert first.headers["location"] == again.headers["location"]
    assert [answer.headers.get("idempotent-replayed") for answer in (first, again)] == [None, "true"]
    assert len(store.runs(now=at("12:00"), limit=10)) == 1


@pytest.mark.parametrize("job", ["make_coffee", "ordered"])
def test_what_cannot_be_ordered_is_refused_at_once(cron: Handler, job: str) -> None:
    answer = run(cron, RIGHT | {"prefer": "respond-async"}, job=job)
    assert (answer.status, answer.problem) == (404, "/problems/unknown-job")


def test_nobody_orders_without_the_secret(cron: Handler, store: MemoryStore) -> None:
    assert run(cron, {"prefer": "respond-async"}).status == 401
    assert store.runs(now=at("12:00"), limit=10) == []


def test_the_jobs_run_as_the_settings_say(store: MemoryStore) -> None:
    day = cron_over(store, CRON_SECRET="a-cron-secret", GAP_HISTORY_DAYS="1", GAP_GRACE_SECONDS="3600")
    result = run(day, RIGHT, job="gap_scan").json["result"]
    assert [one["minutes"] for one in result["instruments"]] == [23 * 60 - 5, 23 * 60]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer another-secret"},
        {"authorization": "a-cron-secret"},
        {"authorization": "Basic a-cron-secret"},
        {"x-api-key": "a-cron-secret"},
    ],
)
@pytest.mark.parametrize("environment", [{}, {"MARKETDATA_LOCAL": "1"}])
def test_nobody_without_the_secret_runs_anything(
    store: MemoryStore, headers: dict[str, str], environment: dict[str, str]
) -> None:
    answer = run(cron_over(store, CRON_SECRET="a-cron-secret", **environment), headers)
    assert (answer.status, answer.problem) == (401, "/problems/unauthorized")
    assert store.roll_up() == 1


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer "}, RIGHT])
@pytest.mark.parametrize("environment", [{}, {"CRON_SECRET": ""}, {"CRON_SECRET": "  "}, {"MARKETDATA_LOCAL": "0"}])
def test_without_a_secret_set_the_door_is_closed_and_names_the_setting(
    store: MemoryStore, headers: dict[str, str], environment: dict[str, str]
) -> None:
    answer = run(cron_over(store, **environment), headers)
    assert (answer.status, answer.problem) == (503, "/problems/not-configured")
    assert "CRON_SECRET" in answer.json["detail"]
    assert store.roll_up() == 1


def test_on_ones_own_machine_no_secret_is_needed(store: MemoryStore) -> None:
    assert run(cron_over(store, MARKETDATA_LOCAL="1"), {}).status == 200


def test_a_job_that_is_not_there_is_a_404_with_those_that_are(cron: Handler) -> None:
    answer = run(cron, RIGHT, job="make_coffee")
    assert (answer.status, answer.problem) == (404, "/problems/unknown-job")
    assert "roll_up" in answer.json["choices"]


def test_who_may_not_come_in_is_not_told_which_jobs_there_are(cron: Handler) -> None:
    assert run(cron, {}, job="make_coffee").status == 401
