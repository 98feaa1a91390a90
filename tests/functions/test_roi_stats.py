"""Statistics over the doors: the schedule, the reads, and the ingestion pipeline's calls."""

import json
from datetime import timedelta
from typing import Any

import pytest
from marketdata.clock import FakeClock
from marketdata.model.instrument import Instrument
from marketdata.observe import Handler
from marketdata.store.memory import MemoryStore

from functions.api.handler import application as api_application
from functions.cron.handler import application as cron_application
from functions.ingest.handler import application as ingest_application
from functions.ordered.handler import application as ordered_application
from functions.roi_stats.handler import application as job_application
from tests.functions.calls import Answer, call, context, event, get, settings
from tests.market import BTC, ETH, at, minutes

LTC = Instrument("coinbase", "LTC-USD", "LTC", "USD")
NOW = at("12:04")
COUNTS = ("marketsIngested", "snapshotsIngested", "aggregatesIngested", "comparisonsIngested", "roiStatsIngested")


@pytest.fixture
def store() -> MemoryStore:
    """Three markets with the candles of two hours."""
    store = MemoryStore()
    store.put_instruments([BTC, ETH, LTC])
    for market in (BTC, ETH, LTC):
        store.put_candles(minutes("10:00", "12:02", market))
    while store.roll_up():
        pass
    return store


@pytest.fixture
def api(store: MemoryStore) -> Handler:
    """The API, after the schedule has run once."""
    answered = job_application(store, settings(), FakeClock(NOW))({"job": "roi_stats"}, context())
    assert (answered["status"], answered["result"]["markets"]) == ("success", 3)
    return api_application(store, settings(), FakeClock(NOW))


def test_the_newest_statistics_of_each_market_and_window_are_answered(api: Handler) -> None:
    answer = get(api, "/v1/roi")
    assert answer.status == 200
    assert len(answer.json["data"]) == 15
    assert answer.json["meta"] == {"as_of": "2026-08-09T12:04:00Z", "formula_version": 1, "simulated": True}
    (hour,) = get(api, "/v1/roi", symbol="BTC-USD", window="1h").json["data"]
    assert hour == {
        "exchange": "coinbase",
        "symbol": "BTC-USD",
        "window": "1h",
        "timeframe": "1m",
        "roi": 0.0,
        "volatility": 0.0,
        "sharpe": None,
        "sortino": None,
        "max_drawdown": 0.0,
        "best": 0.0,
        "worst": 0.0,
        "n": 60,
        "coverage": 1.0,
        "formula_version": 1,
        "absent": {"sharpe": "no return differs from another", "sortino": "no return is below zero"},
        "as_of": "2026-08-09T12:00:00Z",
        "simulated": False,
    }
    (day,) = get(api, "/v1/roi", symbol="btc/usd", window="24h").json["data"]
    assert (day["roi"], day["absent"]["roi"]) == (None, "the close at the start of the window is missing")


def test_snapshots_have_exact_amounts_as_strings_or_as_numbers(api: Handler) -> None:
    (row,) = get(api, "/v1/snapshots", symbol="BTC-USD").json["data"]
    assert (row["price"], row["roi_1h"], row["volume_24h"]) == ("100.5", 0.0, None)
    assert row["absent"]["volume_24h"] == "a bucket inside is missing"
    text = get(api, "/v1/snapshots", symbol="BTC-USD", decimals="number").text
    assert '"price":100.5,' in text
    assert len(get(api, "/v1/snapshots", exchange="coinbase").json["data"]) == 2


def test_comparisons_are_found_by_one_market_or_both(api: Handler) -> None:
    rows = get(api, "/v1/comparisons").json["data"]
    assert [(row["first"]["symbol"], row["second"]["symbol"]) for row in rows] == [
        ("LTC-USD", "ETH-USD"),
        ("BTC-USD", "ETH-USD"),
        ("BTC-USD", "LTC-USD"),
    ]
    assert {row["price_ratio"] for row in rows} == {1.0}
    assert len(get(api, "/v1/comparisons", symbol="LTC-USD").json["data"]) == 2
    (pair,) = get(api, "/v1/comparisons", symbol="LTC-USD", other="BTC-USD").json["data"]
    assert (pair["first"]["symbol"], pair["roi_spread_1h"]) == ("BTC-USD", 0.0)
    (other,) = call(
        api, event("GET", "/v1/comparisons", {"symbol": "LTC-USD", "with": "coinbase-simulated:ETH-USD"})
    ).json["data"]
    assert other["simulated"] is True
    assert len(get(api, "/v1/comparisons", exchange="coinbase").json["data"]) == 1


@pytest.mark.parametrize("path", ["/v1/roi", "/v1/snapshots", "/v1/comparisons"])
def test_pages_go_on_by_cursor_and_a_cursor_is_good_for_its_question_alone(
    api: Handler, store: MemoryStore, path: str
) -> None:
    job_application(store, settings(), FakeClock(NOW + timedelta(minutes=15)))({"job": "roi_stats"}, context())
    whole = get(api, path, view="history").json["data"]
    seen: list[Any] = []
    cursor = ""
    while cursor is not None:
        page = get(api, path, view="history", limit="4", cursor=cursor).json
        seen += page["data"]
        last, cursor = cursor, page["next_cursor"]
    assert seen == whole
    assert len(whole) > len(get(api, path).json["data"])
    assert get(api, path, limit="4", cursor=last).problem == "/problems/invalid-parameter"


def test_rows_of_a_time_are_those_of_that_time(api: Handler) -> None:
    assert get(api, "/v1/snapshots", start="2026-08-09T12:00Z", end="2026-08-09T12:01Z").json["data"] != []
    assert get(api, "/v1/snapshots", start="2026-08-09T12:01Z").json["data"] == []


@pytest.mark.parametrize(
    ("path", "query", "problem"),
    [
        ("/v1/roi", {"window": "2h"}, "invalid-parameter"),
        ("/v1/roi", {"symbol": "NO-ONE"}, "unknown-symbol"),
        ("/v1/roi", {"limit": "10001"}, "invalid-parameter"),
        ("/v1/roi", {"with": "BTC-USD"}, "invalid-parameter"),
        ("/v1/snapshots", {"window": "1h"}, "invalid-parameter"),
        ("/v1/snapshots", {"start": "2026-08-10", "end": "2026-08-09"}, "invalid-parameter"),
        ("/v1/snapshots", {"cursor": "x"}, "invalid-parameter"),
        ("/v1/comparisons", {"with": "BTC-USD"}, "invalid-parameter"),
        ("/v1/comparisons", {"symbol": "BTC-USD", "with": "btcusd"}, "invalid-parameter"),
        ("/v1/comparisons", {"exchange": "nowhere"}, "unknown-exchange"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(api: Handler, path: str, query: dict[str, str], problem: str) -> None:
    assert call(api, event("GET", path, query)).problem == f"/problems/{problem}"


def pipeline(store: MemoryStore, body: str, path: str = "/v1/ingest", key: str = "a-key") -> Answer:
    handler = ingest_application(store, settings(INGEST_API_KEYS="a-key"), FakeClock(NOW))
    return call(handler, event("POST", path, headers={"x-api-key": key}, body=body))


@pytest.mark.parametrize("path", ["/v1/ingest", "/api/ingest"])
@pytest.mark.parametrize("body", ["{}", '{"symbols": []}'])
def test_the_pipeline_s_call_computes_every_market_and_answers_in_its_words(
    store: MemoryStore, path: str, body: str
) -> None:
    answer = pipeline(store, body, path)
    assert (answer.status, answer.json["status"]) == (200, "success")
    result = answer.json["result"]
    assert [result[name] for name in COUNTS] == [3, 3, 6, 3, 15]
    assert (result["trigger"], result["startedAt"]) == ("manual", "2026-08-09T12:04:00Z")
    assert set(result) == {*COUNTS, "marketsLeft", "startedAt", "completedAt", "trigger"}
    (run,) = store.runs(now=NOW, kind="roi_stats", states=None, limit=10)
    assert (run.trigger, run.result["markets"]) == ("manual", 3)


def test_the_pipeline_s_call_for_some_markets_counts_those(store: MemoryStore) -> None:
    result = pipeline(store, json.dumps({"symbols": ["BTC-USD", "LTC-USD", "BTC-USD"]})).json["result"]
    assert [result[name] for name in COUNTS] == [2, 2, 4, 1, 10]


def test_the_pipeline_s_call_needs_a_key_and_known_markets(store: MemoryStore) -> None:
    assert pipeline(store, "{}", key="another").problem == "/problems/unauthorized"
    assert pipeline(store, '{"symbols": ["NO-ONE"]}').problem == "/problems/unknown-symbol"
    assert pipeline(store, json.dumps({"symbols": ["A-B"] * 101})).problem == "/problems/too-large"
    assert pipeline(store, '{"symbols": "BTC-USD"}').status == 400
    assert store.runs(now=NOW, kind="roi_stats", states=None, limit=10) == []


def test_cron_computes_too_in_the_pipeline_s_words_and_in_ours(store: MemoryStore) -> None:
    cron = cron_application(store, settings(CRON_SECRET="a-secret"), FakeClock(NOW))
    bearer = {"authorization": "Bearer a-secret"}
    theirs = call(cron, event("GET", "/api/cron", headers=bearer))
    assert (theirs.status, theirs.json["result"]["marketsIngested"], theirs.json["result"]["trigger"]) == (
        200,
        3,
        "cron",
    )
    ours = call(cron, event("POST", "/v1/cron/roi_stats", headers=bearer))
    assert (ours.json["job"], ours.json["result"]["roi_stats"]) == ("roi_stats", 15)
    assert call(cron, event("GET", "/api/cron")).problem == "/problems/unauthorized"


def test_who_does_not_wait_for_statistics_is_told_where_to_ask(store: MemoryStore) -> None:
    ingest = ingest_application(store, settings(INGEST_API_KEYS="key"), FakeClock(NOW))
    headers = {"x-api-key": "key", "prefer": "respond-async"}
    answer = call(ingest, event("POST", "/v1/ingest", headers=headers, body=json.dumps({"symbols": ["BTC-USD"]})))
    assert (answer.status, answer.headers["preference-applied"]) == (202, "respond-async")
    assert (answer.json["kind"], answer.json["state"]) == ("roi_stats", "queued")
    ordered_application(store, settings(), FakeClock(NOW))({"job": "ordered"}, context())
    done = next(run for run in store.runs(now=NOW, limit=10) if run.id == answer.json["id"])
    assert (done.state.value, done.result["markets"]) == ("succeeded", 1)
    unknown = call(ingest, event("POST", "/v1/ingest", headers=headers, body=json.dumps({"symbols": ["NOBODY"]})))
    assert unknown.status == 404
