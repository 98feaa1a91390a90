"""Every function runs on the event beside it, through the door that Lambda uses, on the store that Lambda has."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from marketdata.store.supabase import SupabaseStore
from marketdata.wiring import close_shared_store

from infra.catalog import FUNCTIONS, Function, function_named
from local.invocation import context_of, load_handler
from tests.conftest import RunningSupabase
from tests.functions.calls import call, event, get
from tests.market import BTC, minutes

ROOT = Path(__file__).resolve().parents[2]


def example(function: Function) -> dict[str, Any]:
    """The event in the function's folder."""
    shown: dict[str, Any] = json.loads((ROOT / function.path / "event.json").read_text())
    return shown


@pytest.fixture
def store(empty_supabase: RunningSupabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[SupabaseStore]:
    """The store that the functions will find in the environment, following BTC-USD."""
    monkeypatch.setenv("SUPABASE_URL", empty_supabase.url)
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", empty_supabase.service_key)
    monkeypatch.setenv("INGEST_API_KEYS", "an-ingest-key")
    monkeypatch.setenv("CRON_SECRET", "a-cron-secret")
    # A run that looks once, instead of all minute long.
    monkeypatch.setenv("BACKFILL_POLL_SECONDS", "0")
    monkeypatch.setenv("ALERT_POLL_SECONDS", "0")
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    store.put_instruments([BTC])
    yield store
    close_shared_store()
    store.close()


@pytest.mark.stack
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_function_runs_on_the_event_beside_it(store: SupabaseStore, function: Function) -> None:
    answered = load_handler(function)(example(function), context_of(function))
    assert answered.get("statusCode", 200) in {200, 202}, answered
    assert json.loads(json.dumps(answered)) == answered


@pytest.mark.stack
def test_a_pushed_trade_is_rolled_up_and_served(store: SupabaseStore) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    trade = {"symbol": "BTC-USD", "id": 7, "time": now.isoformat(), "price": 65000.10, "size": "0.50", "side": "sell"}
    push = example(function_named("ingest")) | {"body": json.dumps({"exchange": "coinbase", "trades": [trade]})}
    assert call(load_handler(function_named("ingest")), push).json["accepted"] == 1
    assert call(load_handler(function_named("cron")), example(function_named("cron"))).json["result"]["drained"]
    for timeframe in ("1m", "5m", "1w"):
        answer = get(load_handler(function_named("api")), "/v1/candles", symbol="BTC-USD", timeframe=timeframe)
        record = answer.json["data"][0]
        assert (record["close"], record["volume"], record["taker_buy_volume"]) == ("65000.1", "0.5", "0")
        assert (record["source"], record["complete"]) == ("partial", False)


@pytest.mark.stack
def test_the_database_answers_as_memory_does(store: SupabaseStore) -> None:
    store.put_candles(minutes("10:00", "10:03") + minutes("10:05", "10:10"))
    query = {"symbol": "btc/usd", "limit": "4", "start": "2026-08-09T10:00:00Z", "end": "2026-08-09T10:10:00Z"}
    answer = call(load_handler(function_named("api")), event("GET", "/v1/candles", query)).json
    assert [record["open_time"][11:16] for record in answer["data"]] == ["10:00", "10:01", "10:02", "10:05"]
    hole = {"start": "2026-08-09T10:03:00Z", "end": "2026-08-09T10:05:00Z", "buckets": 2}
    assert answer["meta"]["gaps"] == [{**hole, "state": "missing", "reason": ""}]
    assert answer["next_cursor"]


@pytest.mark.parametrize("name", ["api", "ingest", "cron"])
def test_a_function_without_settings_says_which_are_missing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("SUPABASE_URL", "NEXT_PUBLIC_SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_SECRET_KEY"):
        monkeypatch.delenv(variable, raising=False)
    function = function_named(name)
    answer = call(load_handler(function), example(function))
    assert (answer.status, answer.problem) == (503, "/problems/not-configured")
    assert "SUPABASE_URL is required" in answer.json["detail"]
    assert "SUPABASE_SERVICE_ROLE_KEY is required" in answer.json["detail"]


def test_a_function_whose_store_is_not_there_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "a-service-key")
    answer = get(load_handler(function_named("api")), "/v1/health/ready")
    close_shared_store()
    assert (answer.status, answer.problem) == (503, "/problems/store-unavailable")
