"""The public API over HTTP's own words: statuses, headers, problem documents."""

import pytest
from marketdata.clock import FakeClock
from marketdata.errors import StoreError
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.observe import Handler
from marketdata.store.memory import MemoryStore

from functions.api.handler import application
from tests.functions.calls import call, event, get, settings
from tests.market import ETH, a_store, at, minutes

NOW = at("12:00")
QUESTIONS = [
    "/v1/candles",
    "/v1/candles/latest",
    "/v1/gaps",
    "/v1/coverage",
    "/v1/instruments",
    "/v1/status",
    "/v1/health/ready",
]


class DownStore(MemoryStore):
    """A store that cannot be reached; what it says of itself is not for clients."""

    def instruments(self, *, active_only: bool = False) -> list[Instrument]:
        raise StoreError("instruments", "http://10.0.0.7 refused the connection")

    def ping(self) -> None:
        raise StoreError("ping", "http://10.0.0.7 refused the connection")


class BrokenStore(MemoryStore):
    """A store with a bug."""

    def instruments(self, *, active_only: bool = False) -> list[Instrument]:
        raise ZeroDivisionError("a fault of ours at /srv/secret/path.py")


def api_over(store: MemoryStore) -> Handler:
    return application(store, settings(), FakeClock(NOW))


@pytest.fixture
def api() -> Handler:
    """The API over ten minutes of BTC-USD."""
    store = a_store()
    store.put_candles(minutes("10:00", "10:10"))
    return api_over(store)


def test_candles(api: Handler) -> None:
    answer = get(api, "/v1/candles", symbol="BTC-USD", start="2026-08-09T10:00:00Z", end="2026-08-09T10:02:00Z")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert [record["open_time"] for record in answer.json["data"]] == ["2026-08-09T10:00:00Z", "2026-08-09T10:01:00Z"]
    assert answer.json["meta"]["condition"] == "available"


def test_the_next_page_is_asked_for_with_its_cursor(api: Handler) -> None:
    first = get(api, "/v1/candles", symbol="BTC-USD", limit="6").json
    second = get(api, "/v1/candles", symbol="BTC-USD", limit="6", cursor=first["next_cursor"]).json
    assert [len(first["data"]), len(second["data"]), second["next_cursor"]] == [6, 4, None]


def test_the_latest_candles(api: Handler) -> None:
    answer = get(api, "/v1/candles/latest", symbol="btc/usd", tf="1m", limit="2")
    assert [record["open_time"][11:16] for record in answer.json["data"]] == ["10:08", "10:09"]


def test_gaps() -> None:
    store = a_store()
    store.record_gaps(ETH, M1, [Span(at("10:00"), at("10:05"))], cause="scan", found_at=at("11:00"))
    answer = get(api_over(store), "/v1/gaps", symbol="ETH-USD", state="open")
    assert answer.json == {
        "data": [
            {
                "id": 1,
                "exchange": "coinbase-simulated",
                "symbol": "ETH-USD",
                "timeframe": "1m",
                "start": "2026-08-09T10:00:00Z",
                "end": "2026-08-09T10:05:00Z",
                "buckets": 5,
                "state": "open",
                "cause": "scan",
                "reason": "",
                "attempts": 0,
                "found_at": "2026-08-09T11:00:00Z",
                "retry_at": None,
                "repaired_at": None,
                "simulated": True,
            }
        ],
        "next_cursor": None,
        "meta": {"as_of": "2026-08-09T12:00:00Z", "simulated": True},
    }


@pytest.mark.parametrize(
    ("query", "status", "problem"),
    [
        ({"state": "lost"}, 400, "/problems/invalid-parameter"),
        ({"limit": "1001"}, 400, "/problems/invalid-parameter"),
        ({"cursor": "x"}, 400, "/problems/invalid-parameter"),
        ({"start": "2026-08-09"}, 400, "/problems/invalid-parameter"),
        ({"symbol": "DOGE-USD"}, 404, "/problems/unknown-symbol"),
        ({"exchange": "kraken"}, 404, "/problems/unknown-exchange"),
    ],
)
def test_a_wrong_question_for_gaps_is_refused(api: Handler, query: dict[str, str], status: int, problem: str) -> None:
    answer = call(api, event("GET", "/v1/gaps", query))
    assert (answer.status, answer.problem) == (status, problem)


def test_coverage(api: Handler) -> None:
    answer = get(api, "/v1/coverage", symbol="btc/usd", broker="coinbase", start="2026-08-09", end="2026-08-10")
    assert answer.json["data"] == [
        {
            "exchange": "coinbase",
            "symbol": "BTC-USD",
            "timeframe": "1m",
            "day": "2026-08-09",
            "expected": 718,
            "present": 10,
            "proven": 10,
            "partial": 0,
            "no_trades": 0,
            "missing": 708,
            "coverage": 0.013927,
            "simulated": False,
        }
    ]
    assert answer.json["meta"] == {
        "span": {"start": "2026-08-09T00:00:00Z", "end": "2026-08-09T11:58:00Z"},
        "as_of": "2026-08-09T12:00:00Z",
        "simulated": False,
    }


@pytest.mark.parametrize(
    ("query", "status", "problem"),
    [
        ({"start": "2025-08-08", "end": "2026-08-10"}, 400, "/problems/invalid-parameter"),
        ({"start": "2026-08-10", "end": "2026-08-09"}, 400, "/problems/invalid-parameter"),
        ({"days": "3"}, 400, "/problems/invalid-parameter"),
        ({"symbol": "DOGE-USD"}, 404, "/problems/unknown-symbol"),
        ({"exchange": "kraken"}, 404, "/problems/unknown-exchange"),
    ],
)
def test_a_wrong_question_for_coverage_is_refused(
    api: Handler, query: dict[str, str], status: int, problem: str
) -> None:
    answer = call(api, event("GET", "/v1/coverage", query))
    assert (answer.status, answer.problem) == (status, problem)


def test_instruments(api: Handler) -> None:
    assert [one["symbol"] for one in get(api, "/v1/instruments").json["data"]] == ["BTC-USD", "ETH-USD"]


def test_status(api: Handler) -> None:
    answer = get(api, "/v1/status").json
    assert (answer["feeds"], answer["instruments"][0]["newest"]["open_time"]) == ([], "2026-08-09T10:09:00Z")


def test_health(api: Handler) -> None:
    assert get(api, "/v1/health/live").json == {"status": "live"}
    assert get(api, "/v1/health/ready").json == {"status": "ready"}


def test_without_a_store_it_lives_and_is_not_ready() -> None:
    api = api_over(DownStore())
    assert get(api, "/v1/health/live").status == 200
    assert get(api, "/v1/health/ready").status == 503


@pytest.mark.parametrize("path", QUESTIONS)
def test_a_store_that_is_down_is_a_503_that_says_when_to_try_again_and_not_where_it_is(path: str) -> None:
    query = {"symbol": "BTC-USD"} if "candles" in path else {}
    answer = call(api_over(DownStore()), event("GET", path, query))
    assert (answer.status, answer.problem) == (503, "/problems/store-unavailable")
    assert answer.headers["retry-after"] == "5"
    assert "10.0.0.7" not in answer.text


def test_a_bug_is_a_500_without_our_insides() -> None:
    answer = get(api_over(BrokenStore()), "/v1/candles", symbol="BTC-USD")
    assert (answer.status, answer.problem) == (500, "/problems/internal")
    assert "secret" not in answer.text


def test_a_wrong_parameter_is_a_400_that_names_it(api: Handler) -> None:
    answer = get(api, "/v1/candles", symbol="BTC-USD", limit="0")
    assert (answer.status, answer.problem) == (400, "/problems/invalid-parameter")
    assert [one["field"] for one in answer.json["errors"]] == ["limit"]
    assert (answer.json["instance"], answer.json["request_id"]) == ("/v1/candles", "request-1")


def test_an_unknown_symbol_is_a_404_with_the_known_ones(api: Handler) -> None:
    answer = get(api, "/v1/candles", symbol="DOGE-USD")
    assert (answer.status, answer.problem) == (404, "/problems/unknown-symbol")
    assert answer.json["choices"] == ["coinbase:BTC-USD", "coinbase-simulated:ETH-USD"]


def test_an_ambiguous_symbol_is_a_409_with_the_choices() -> None:
    store = a_store()
    store.put_instruments([Instrument("bitfinex", "tBTCUSD", "BTC", "USD")])
    answer = get(api_over(store), "/v1/candles", symbol="BTC-USD")
    assert (answer.status, answer.problem) == (409, "/problems/ambiguous-symbol")
    assert answer.json["choices"] == ["bitfinex:tBTCUSD", "coinbase:BTC-USD"]


@pytest.mark.parametrize("request_", [event("GET", "/v1/nothing"), event("DELETE", "/v1/candles"), event("GET", "/")])
def test_a_route_that_is_not_there_is_a_404_in_our_words(api: Handler, request_: dict[str, object]) -> None:
    answer = call(api, request_)
    assert (answer.status, answer.problem) == (404, "/problems/not-found")


def test_an_answer_carries_the_callers_request_id_or_the_gateways(api: Handler) -> None:
    named = get(api, "/v1/health/live", headers={"x-request-id": "mine-7"})
    assert named.headers["x-request-id"] == "mine-7"
    assert get(api, "/v1/health/live").headers["x-request-id"] == "request-1"
    injected = get(api, "/v1/health/live", headers={"x-request-id": "mine\r\nSet-Cookie: a=b"})
    assert injected.headers["x-request-id"] == "request-1"


@pytest.mark.parametrize("path", ["/v1/health/live", "/v1/candles", "/v1/nothing"])
def test_any_page_may_read_answers_and_problems(api: Handler, path: str) -> None:
    answer = get(api, path, headers={"origin": "https://page.example.com"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "X-Request-Id" in answer.headers["access-control-expose-headers"]


def test_a_preflight_is_answered(api: Handler) -> None:
    answer = call(api, event("OPTIONS", "/v1/candles", headers={"origin": "https://page.example.com"}))
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (204, "*")
    assert "GET" in answer.headers["access-control-allow-methods"]


def test_runs_of_jobs_are_listed_by_kind_and_state() -> None:
    store = a_store()
    for kind in ("gap_scan", "backfill"):
        store.start_run(kind, worker=kind, now=NOW, lease_seconds=60, trigger="cron")
    api = api_over(store)
    assert [run["kind"] for run in get(api, "/v1/jobs").json["data"]] == ["backfill", "gap_scan"]
    assert [run["kind"] for run in get(api, "/v1/jobs", job="gap_scan", state="running").json["data"]] == ["gap_scan"]
    assert get(api, "/v1/jobs", state="failed,lost").json["data"] == []
    refused = get(api, "/v1/jobs", state="tired")
    assert (refused.status, refused.json["errors"][0]["field"]) == (400, "state")
