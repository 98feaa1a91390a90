"""The scheduled job over the real database: what it writes, and that it writes nothing the second time."""

import json
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from marketdata.clock import FakeClock
from marketdata.store.supabase import SupabaseStore

from functions.api.handler import application as api_application
from functions.roi_stats.handler import application
from tests.conftest import RunningSupabase
from tests.functions.calls import context, get, settings
from tests.market import BTC, ETH, at
from tests.unit.jobs.test_roi_stats import house, run, walk

TABLES = ("roi_statistics", "market_snapshots", "market_aggregates", "market_comparisons")
NOW = at("12:04")
HOURS = 26

pytestmark = pytest.mark.stack


@pytest.fixture
def store(empty_supabase: RunningSupabase) -> Iterator[SupabaseStore]:
    """A database with a day of two markets."""
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    store.put_instruments([BTC, ETH])
    for seed, market in enumerate((BTC, ETH)):
        store.put_candles(walk(market, at("12:02") - timedelta(hours=HOURS), at("12:02"), seed))
    while store.roll_up():
        pass
    yield store
    store.close()


def spelled(record: object) -> str:
    """A record with its names in order."""
    return json.dumps(record, sort_keys=True)


def versions(supabase: RunningSupabase) -> dict[str, list[tuple[object, ...]]]:
    """Every row, with the transaction that wrote it and its place."""
    with psycopg.connect(supabase.dsn) as connection:
        return {table: connection.execute(f"select xmin, ctid, * from {table}").fetchall() for table in TABLES}


def test_the_second_run_writes_nothing_and_the_answers_are_those_of_memory(
    store: SupabaseStore, empty_supabase: RunningSupabase
) -> None:
    job = application(store, settings(), FakeClock(NOW))
    first = job({"job": "roi_stats"}, context())["result"]
    before = versions(empty_supabase)
    assert {table: len(rows) for table, rows in before.items()} == {
        "roi_statistics": first["roi_stats"],
        "market_snapshots": first["snapshots"],
        "market_aggregates": first["aggregates"],
        "market_comparisons": first["comparisons"],
    }
    assert job({"job": "roi_stats"}, context())["result"] == first
    assert versions(empty_supabase) == before
    in_memory = house(BTC, ETH, hours=HOURS)
    run(in_memory, NOW)
    for path in ("/v1/roi", "/v1/snapshots", "/v1/comparisons"):
        over_database = get(api_application(store, settings(), FakeClock(NOW)), path).json["data"]
        over_memory = get(api_application(in_memory, settings(), FakeClock(NOW)), path).json["data"]
        assert sorted(map(spelled, over_database)) == sorted(map(spelled, over_memory))
