"""What the whole tells of itself over HTTP, in our words and as other services' clients know it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from marketdata.clock import FakeClock
from marketdata.errors import StoreError
from marketdata.model.job_run import RunState
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.observe import Handler
from marketdata.store.answers import FeedStatus
from marketdata.store.memory import MemoryStore

from functions.api.handler import application
from tests.functions.calls import get, settings
from tests.market import BTC, ETH, a_store, at, candle, minutes

NOW = at("12:00")
M5 = timeframe_named("5m")


class DownStore(MemoryStore):
    """A store that cannot be reached."""

    def ping(self) -> None:
        raise StoreError("ping", "refused")


def api_over(store: MemoryStore) -> Handler:
    return application(store, settings(), FakeClock(NOW))


@pytest.fixture
def store() -> MemoryStore:
    """Two hours of BTC-USD minutes until now, rolled up; nothing of ETH-USD."""
    store = a_store()
    store.put_candles(minutes("10:00", "12:00"))
    while store.roll_up():
        pass
    return store


# Metadata


def test_metadata_tell_what_is_held_from_when_to_when(store: MemoryStore) -> None:
    (one,) = get(api_over(store), "/v1/metadata", symbol="btc/usd").json["data"]
    assert (one["symbol"], one["canonical"], one["tick_count"]) == ("BTC-USD", "BTC-USD", 120)
    assert (one["earliest"], one["latest"]) == ("2026-08-09T10:00:00Z", "2026-08-09T11:59:00Z")
    assert one["timeframes"][1] == {
        "timeframe": "5m",
        "earliest": "2026-08-09T10:00:00Z",
        "latest": "2026-08-09T11:55:00Z",
    }


def test_metadata_of_all_have_those_of_which_nothing_is_held_too(store: MemoryStore) -> None:
    data = get(api_over(store), "/v1/metadata").json["data"]
    assert [(one["symbol"], one["earliest"], one["timeframes"] == []) for one in data] == [
        ("BTC-USD", "2026-08-09T10:00:00Z", False),
        ("ETH-USD", None, True),
    ]
    assert get(api_over(store), "/v1/metadata", exchange="coinbase").json["data"] == data[:1]


def test_metadata_in_unix_seconds(store: MemoryStore) -> None:
    assert get(api_over(store), "/api/metadata", symbol="BTC-USD").json == {
        "symbol": "BTC-USD",
        "exchange": "coinbase",
        "earliest": 1786269600,
        "latest": 1786276799,
        "tick_count": 120,
        "timeframes": ["1m", "5m", "15m", "1h", "4h", "12h", "1d", "1w"],
    }


def test_metadata_of_every_symbol_are_a_list(store: MemoryStore) -> None:
    found = get(api_over(store), "/api/metadata").json
    assert [(one["symbol"], one["earliest"], one["timeframes"]) for one in found][1:] == [("ETH-USD", None, [])]


def test_metadata_of_nobody_are_a_404(store: MemoryStore) -> None:
    assert get(api_over(store), "/api/metadata", symbol="DOGE").problem == "/problems/unknown-symbol"


# The service that had /gaps, /symbols, /status and /health


def test_gaps_are_rows_of_the_table_that_others_know(store: MemoryStore) -> None:
    store.record_gaps(BTC, M1, [Span(at("09:00"), at("09:05"))], cause="scan", found_at=at("11:00"))
    answer = get(api_over(store), "/gaps", exchange="coinbase", symbol="BTCUSD")
    assert answer.json == [
        {
            "id": 1,
            "exchange": "coinbase",
            "symbol": "BTC-USD",
            "timeframe": "1m",
            "gap_start": "2026-08-09T09:00:00Z",
            "gap_end": "2026-08-09T09:05:00Z",
            "detected_at": "2026-08-09T11:00:00Z",
            "repaired_at": None,
            "state": "open",
            "reason": "",
        }
    ]


def test_a_page_of_gaps_links_to_the_next(store: MemoryStore) -> None:
    holes = [Span(at(f"0{hour}:00"), at(f"0{hour}:05")) for hour in range(3)]
    store.record_gaps(BTC, M1, holes, cause="scan", found_at=NOW)
    api, seen, query = api_over(store), [], {"limit": "2"}
    for _ in range(2):
        answer = get(api, "/gaps", None, **query)
        seen += [gap["id"] for gap in answer.json]
        link = answer.headers.get("link", "")
        query |= {"cursor": link.partition("cursor=")[2].partition(">")[0].replace("%3D", "=")}
    assert (seen, link) == ([1, 2, 3], "")


def test_symbols_by_exchange(store: MemoryStore) -> None:
    store.put_instruments([replace(ETH, active=False)])
    assert get(api_over(store), "/symbols").json == {"coinbase": ["BTC-USD"]}


def test_status_of_each_timeframe_of_each_symbol(store: MemoryStore) -> None:
    store.put_instruments([replace(BTC, timeframes=(M1, M5)), replace(ETH, timeframes=(M1,))])
    fields = ("exchange", "symbol", "timeframe", "status", "latest", "age_seconds")
    found = [tuple(row[name] for name in fields) for row in get(api_over(store), "/status").json]
    assert found == [
        ("coinbase", "BTC-USD", "1m", "current", "2026-08-09T11:59:00Z", 60),
        ("coinbase", "BTC-USD", "5m", "current", "2026-08-09T11:55:00Z", 300),
        ("coinbase-simulated", "ETH-USD", "1m", "empty", None, None),
    ]


def test_a_candle_that_is_overdue_is_told() -> None:
    store = a_store()
    store.put_candles([candle(at("11:50"))])
    assert {row["status"] for row in get(api_over(store), "/status").json if row["timeframe"] == "1m"} == {
        "behind",
        "empty",
    }


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/health", "ok"),
        ("/v1/health/live", "live"),
        ("/api/v1/health/liveness", "live"),
        ("/v1/health/ready", "ready"),
        ("/api/v1/health/readiness", "ready"),
    ],
)
def test_health_under_every_name_that_probes_know(store: MemoryStore, path: str, status: str) -> None:
    assert get(api_over(store), path).json == {"status": status}
    down = get(api_over(DownStore()), path)
    assert down.status == (200 if status == "live" else 503)


# Metrics


@pytest.fixture
def watched(store: MemoryStore) -> MemoryStore:
    """The same with a feed, a gap, and a run of a job."""
    store.put_feed_status(
        FeedStatus(
            exchange="coinbase",
            feed_id="a",
            state="live",
            started_at=at("11:00"),
            updated_at=NOW - timedelta(seconds=3),
            last_trade_at=NOW - timedelta(seconds=5),
            trades=1_000,
            reconnects=2,
        )
    )
    store.record_gaps(BTC, M1, [Span(at("09:00"), at("09:05"))], cause="scan", found_at=NOW)
    run = store.start_run("roi_stats", worker="w", now=at("11:00"), lease_seconds=600, trigger="manual")
    store.finish_run(run, now=at("11:00:05"), state=RunState.SUCCEEDED, result={})
    return store


def figures(store: MemoryStore) -> dict[tuple[str, str], Any]:
    found = get(api_over(store), "/api/metrics").json
    return {(one["name"], ",".join(one["labels"].values())): one["value"] for one in found}


def test_metrics_are_a_list_of_figures(watched: MemoryStore) -> None:
    found = get(api_over(watched), "/api/metrics").json
    assert {
        "type": "counter",
        "name": "ingestion_success_total",
        "value": 1,
        "timestamp": "2026-08-09T12:00:00Z",
        "labels": {"trigger": "manual", "job": "roi_stats"},
    } in found
    assert found == get(api_over(watched), "/v1/metrics").json


def test_metrics_are_what_the_store_knows(watched: MemoryStore) -> None:
    told = figures(watched)
    assert told["feed_live", "coinbase,a"] == 1
    assert told["feed_age_seconds", "coinbase,a"] == 3
    assert told["feed_trade_age_seconds", "coinbase,a"] == 5
    assert told["feed_trades_total", "coinbase,a"] == 1_000
    assert told["gaps", "coinbase,open"] == 1
    assert told["gap_seconds", "coinbase,open"] == 300
    assert told["candle_age_seconds", "coinbase,BTC-USD"] == 60
    assert told["coverage_ratio", "coinbase,BTC-USD"] == round(118 / 1440, 6)
    assert told["job_runs", "roi_stats,manual,succeeded"] == 1
    assert told["ingestion_duration_ms", "manual,roi_stats"] == 5_000
    assert told["changes_queued", ""] == 0


def test_a_repair_moves_the_figures(watched: MemoryStore) -> None:
    before = figures(watched)["coverage_ratio", "coinbase,BTC-USD"]
    watched.put_candles(minutes("09:00", "09:05"))
    assert figures(watched)["changes_queued", ""] == 1
    while watched.roll_up():
        pass
    watched.close_covered_gaps(now=NOW)
    after = figures(watched)
    assert after["coverage_ratio", "coinbase,BTC-USD"] > before
    assert ("gaps", "coinbase,open") not in after


def test_prometheus_reads_the_same_figures(watched: MemoryStore) -> None:
    answer = get(api_over(watched), "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    assert 'marketdata_gaps{exchange="coinbase",state="open"} 1' in lines
    assert "# TYPE marketdata_feed_trades_total counter" in lines
    assert "marketdata_changes_queued 0" in lines
    assert not any("ingestion_" in line for line in lines), "counts that may fall are no counters to it"


def test_each_name_is_told_of_once_and_in_one_piece(watched: MemoryStore) -> None:
    watched.put_candles([candle(at("11:00"), ETH)])
    lines = get(api_over(watched), "/metrics").text.splitlines()
    names = [line.partition("{")[0].partition(" ")[0] for line in lines if not line.startswith("#")]
    runs = [name for place, name in enumerate(names) if place == 0 or names[place - 1] != name]
    assert len(runs) == len(set(runs))
    assert sum(line.startswith("# TYPE marketdata_coverage_ratio") for line in lines) == 1
