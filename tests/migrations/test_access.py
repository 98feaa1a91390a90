"""Who may do what: every role, every table, every verb, over the API as clients use it."""

from itertools import product
from typing import Any

import httpx
import psycopg
import pytest

from local.supabase_keys import sign_role
from tests.conftest import RunningSupabase
from tests.migrations.database import Database, minute

ROWS: dict[str, dict[str, Any]] = {
    "timeframes": {"minutes": 3, "name": "3m"},
    "instruments": {"exchange": "x", "symbol": "A-B", "base": "A", "quote": "B"},
    "candles": {
        "instrument_id": 1,
        "timeframe": 60,
        "open_time": "2026-11-23T00:00:00Z",
        "source": 4,
        **dict.fromkeys(("open", "high", "low", "close", "volume"), "1"),
    },
    "candles_v": {"exchange": "x"},
    "coverage": {"instrument_id": 1, "timeframe": 60, "month": "2026-11-01"},
    "candle_gaps": {"instrument_id": 1, "timeframe": 1, "span": "[2026-11-23Z,2026-11-24Z)", "cause": "scan"},
    "gaps_v": {"exchange": "x"},
    "ticks": {"instrument_id": 1, "time": "now", "trade_id": 1, "price": "1", "size": "1", "taker_buy": True},
    "quotes": {"instrument_id": 1, "time": "now", "bid": "1", "ask": "1"},
    "snapshots": {
        "source": "x",
        "asset": "A",
        "quote": "B",
        "minute": "2026-11-23Z",
        "observed_at": "2026-11-23Z",
        "price": "1",
    },
    "roi_statistics": {
        "instrument_id": 1,
        "timeframe": 1,
        "formula_version": 1,
        "n": 60,
        "period": "1h",
        "as_of": "2026-11-23Z",
        "coverage": "1",
    },
    "market_snapshots": {
        "instrument_id": 1,
        "formula_version": 1,
        "n": 60,
        "as_of": "2026-11-23Z",
        "coverage": "1",
    },
    "market_aggregates": {
        "instrument_id": 1,
        "formula_version": 1,
        "n": 12,
        "period": "hourly",
        "as_of": "2026-11-23Z",
        "coverage": "1",
    },
    "market_comparisons": {
        "first_id": 2,
        "second_id": 1,
        "formula_version": 1,
        "n": 60,
        "as_of": "2026-11-23Z",
        "coverage": "1",
    },
    "roi_statistics_latest": {"instrument_id": 1},
    "market_snapshots_latest": {"instrument_id": 1},
    "market_aggregates_latest": {"instrument_id": 1},
    "market_comparisons_latest": {"first_id": 1},
    "Market": {"symbol": "x"},
    "MarketSnapshot": {"id": 1},
    "MarketAggregate": {"id": 1},
    "MarketComparison": {"id": 1},
    "MarketROIStatistic": {"id": 1},
    **{view: {"exchange": "x"} for view in ("market_names", "ticks_raw")},
    "crypto_candles": {"ticker": "x"},
    **{
        view: {"symbol": "x"}
        for view in (
            *("ohlc_1m", "metrics_1m", "ticks_history", "ticks_recent", "market_ticks"),
            *(f"forex_candles_{timeframe}" for timeframe in ("1m", "5m", "15m", "1h", "4h", "12h")),
        )
    },
    "kept_answers": {
        "caller": "x",
        "key": "x",
        "fingerprint": "x",
        "answer": "x",
        "created_at": "now",
    },
    "api_keys": {"prefix": "x", "name": "x", "scope": "read", "digest": "0" * 64, "created_at": "now"},
    "exports": {"id": "0" * 32, "caller": "x", "question": {}, "created_at": "now", "expires_at": "now"},
    "request_quotas": {"name": "x", "ends_at": "now", "used": 1},
    "retention": {"what": "1m", "keep": "400 days"},
    "ingestion_jobs": {"kind": "x", "worker": "w", "trigger": "x", "started_at": "now", "lease_until": "now"},
    "alerts": {"dedup_key": "x", "rule": "x", "severity": "info", "summary": "x", "created_at": "now"},
    "exchange_budgets": {"exchange": "x"},
    "feeds": {"exchange": "x", "feed_id": "1", "state": "live", "started_at": "now", "updated_at": "now"},
}
STATISTICS = {"roi_statistics", "market_snapshots", "market_aggregates", "market_comparisons"}
STATISTICS_VIEWS = {f"{table}_latest" for table in STATISTICS} | {
    "Market",
    "MarketSnapshot",
    "MarketAggregate",
    "MarketComparison",
    "MarketROIStatistic",
}
MARKET = {"timeframes", "instruments", "candles", "candles_v", "coverage", "candle_gaps", "gaps_v"}
# Under the names that other programs know.
VIEWS_OF_CANDLES = {"market_names", "crypto_candles", "ohlc_1m"} | {
    f"forex_candles_{timeframe}" for timeframe in ("1m", "5m", "15m", "1h", "4h", "12h")
}
VIEWS_OF_TICKS = {"ticks_history", "ticks_raw", "ticks_recent", "metrics_1m", "market_ticks"}
READABLE_BY_ALL = MARKET | STATISTICS | STATISTICS_VIEWS | VIEWS_OF_CANDLES
VIEWS = {"candles_v", "gaps_v"} | STATISTICS_VIEWS | VIEWS_OF_CANDLES | VIEWS_OF_TICKS
WRITABLE_BY_SERVICE = {"instruments", "candles", "ticks", "retention", "feeds"}
# What is old goes by a function that forgets a bounded part of it.
ADDED_TO_BY_SERVICE = STATISTICS

FUNCTIONS: dict[str, dict[str, Any]] = {
    "get_candles_v1": {"p_instrument_id": 1, "p_timeframe": 1},
    "get_coverage_v1": {"p_instrument_id": 1, "p_timeframe": 1},
    "count_candles_v2": {
        "p_instrument_id": 1,
        "p_timeframe": 1,
        "p_start": "2026-11-23Z",
        "p_end": "2026-11-24Z",
    },
    "read_candles_v1": {"p_instrument_id": 1, "p_timeframe": 1, "p_settled": "2026-11-24Z"},
    "read_candles_v2": {"p_instrument_id": 1, "p_timeframe": 1, "p_settled": "2026-11-24Z"},
    "candles_version_v1": {"p_instrument_id": 1, "p_timeframe": 1, "p_settled": "2026-11-24Z"},
    "get_holdings_v1": {"p_instrument_ids": [1]},
    "get_figures_v1": {"p_now": "2026-11-24Z"},
    "get_unrepaired_v1": {"p_before": "2026-11-24Z"},
    "get_recovery_v1": {"p_exchange": "x", "p_symbol": None, "p_start": "2026-11-23Z", "p_end": "2026-11-24Z"},
    "get_alerts_v2": {},
    "get_news_v1": {},
    "get_alert_desk_v1": {"p_now": "2026-11-24Z"},
    "commit_alerts_v1": {"p_version": -1, "p_now": "2026-11-24Z", "p_changes": {"book": {}}},
    "claim_messages_v1": {"p_worker": "w", "p_now": "2026-11-24Z", "p_lease_seconds": 60},
    "record_try_v1": {
        "p_id": "00000000-0000-0000-0000-000000000000",
        "p_worker": "w",
        "p_attempt": 1,
        "p_state": "dead",
        "p_at": "2026-11-24Z",
        "p_status": None,
        "p_error": "",
        "p_seconds": 0,
    },
    "get_messages_v1": {},
    "put_messages_v1": {"p_messages": []},
    "replay_messages_v1": {"p_now": "2026-11-24Z"},
    "put_alert_target_v1": {
        "p_target": {
            "name": "x",
            "kind": "simple",
            "url": "https://x",
            "secrets": [],
            "min_severity": "info",
            "enabled": False,
            "disabled_reason": "",
        }
    },
    "remove_alert_target_v1": {"p_name": "nobody"},
    "put_market_rule_v1": {
        "p_rule": {
            "name": "x",
            "kind": "roi",
            "exchange": "x",
            "symbol": "x",
            "bound": "1",
            "clear": "1",
            "direction": "above",
            "window": "1h",
            "severity": "info",
            "hold_seconds": 0,
            "created_at": "2026-11-24Z",
        }
    },
    "remove_market_rule_v1": {"p_name": "nothing"},
    "put_silence_v1": {
        "p_silence": {
            "id": "00000000-0000-0000-0000-000000000000",
            "starts_at": "2026-11-23Z",
            "ends_at": "2026-11-24Z",
            "reason": "x",
        }
    },
    "remove_silence_v1": {"p_id": "00000000-0000-0000-0000-000000000001"},
    "audit_coverage_v1": {"p_instrument_id": 1, "p_start": "2026-11-23Z", "p_end": "2026-11-24Z"},
    "mark_closed_v1": {"p_instrument_id": 1, "p_spans": "{}", "p_now": "2026-11-24Z"},
    "schema_version_v1": {},
    "get_trades_v1": {"p_instrument_id": 1, "p_start": "2026-11-23Z", "p_end": "2026-11-24Z"},
    "get_trades_v2": {"p_instrument_id": 1, "p_start": "2026-11-23Z", "p_end": "2026-11-24Z"},
    "keep_ticks_v1": {"p_ticks": []},
    "fold_ticks_v1": {"p_instrument_id": 1, "p_spans": "{}"},
    "keep_answer_v1": {
        "p_caller": "x",
        "p_key": "x",
        "p_fingerprint": "x",
        "p_answer": "x",
        "p_now": "2026-11-24Z",
    },
    "add_api_key_v1": {
        "p_prefix": "x",
        "p_name": "x",
        "p_scope": "read",
        "p_digest": "0" * 64,
        "p_created_at": "2026-11-24Z",
        "p_expires_at": None,
    },
    "order_export_v1": {
        "p_id": "0" * 32,
        "p_caller": "x",
        "p_question": {},
        "p_now": "2026-11-24Z",
        "p_expires_at": "2026-11-25Z",
    },
    "get_export_v1": {"p_id": "0" * 32},
    "claim_export_v1": {"p_worker": "w", "p_now": "2026-11-24Z", "p_lease_seconds": 60},
    "claim_export_v2": {"p_worker": "w", "p_now": "2026-11-24Z", "p_lease_seconds": 60},
    "order_run_v1": {
        "p_kind": "x",
        "p_name": "x",
        "p_now": "2026-11-24Z",
        "p_wait_seconds": 60,
        "p_trigger": "cron",
    },
    "claim_run_v1": {"p_worker": "w", "p_now": "2026-11-24Z", "p_lease_seconds": 60},
    "note_export_v1": {"p_id": "x", "p_worker": "w", "p_attempts": 1, "p_progress": {}},
    "finish_export_v1": {
        "p_id": "0" * 32,
        "p_worker": "w",
        "p_attempts": 1,
        "p_state": "done",
        "p_result": {},
        "p_error": "",
        "p_now": "2026-11-24Z",
    },
    "get_expired_exports_v1": {"p_now": "2026-11-24Z"},
    "forget_exports_v1": {"p_ids": [], "p_now": "2026-11-24Z"},
    "get_api_keys_v1": {},
    "revoke_api_key_v1": {"p_prefix": "x", "p_now": "2026-11-24Z"},
    "take_quota_v1": {"p_name": "x", "p_quota": 1, "p_window_seconds": 60},
    "recall_answer_v1": {"p_caller": "x", "p_key": "x", "p_now": "2026-11-24Z"},
    "get_quotes_v1": {"p_instrument_id": 1, "p_start": "2026-11-23Z", "p_end": "2026-11-24Z"},
    "put_snapshots_v1": {"p_rows": []},
    "get_snapshots_v1": {"p_source": "x", "p_asset": "A", "p_quote": "B"},
    "prune_snapshots_v1": {"p_before": "2026-11-24Z"},
    "prune_statistics_v1": {"p_before": "2026-11-24Z", "p_comparisons_before": "2026-11-24Z"},
    "prune_history_v1": {"p_now": "2026-11-24Z"},
    "drain_dirty_v1": {"p_limit": 10},
    "get_changes_v1": {},
    "mark_empty_v1": {"p_instrument_id": 1, "p_timeframe": 1, "p_spans": "{}"},
    "ensure_partitions_v1": {"p_from": "2026-11-23Z", "p_to": "2026-11-24Z"},
    "get_gaps_v1": {},
    "record_gaps_v2": {
        "p_instrument_id": 1,
        "p_timeframe": 1,
        "p_spans": "{[2026-11-23Z,2026-11-24Z)}",
        "p_cause": "scan",
        "p_found_at": "2026-11-24Z",
    },
    "claim_gaps_v2": {"p_worker": "w", "p_now": "2026-11-24Z", "p_lease_seconds": 60, "p_limit": 1},
    "resolve_gap_v1": {
        "p_id": 1,
        "p_worker": "w",
        "p_attempts": 1,
        "p_state": "filled",
        "p_now": "2026-11-24Z",
    },
    "release_gap_v2": {
        "p_id": 1,
        "p_worker": "w",
        "p_attempts": 1,
        "p_now": "2026-11-24Z",
        "p_retry_at": "2026-11-24Z",
    },
    "find_gaps_v1": {"p_now": "2026-11-24Z", "p_history": "1 hour", "p_grace": "1 minute"},
    "close_covered_gaps_v1": {"p_now": "2026-11-24Z"},
    "find_history_v1": {"p_now": "2026-11-24Z", "p_history": "1 hour"},
    "start_run_v1": {
        "p_kind": "x",
        "p_worker": "w",
        "p_now": "2026-11-24Z",
        "p_lease_seconds": 60,
        "p_trigger": "cron",
    },
    "renew_run_v1": {"p_id": 1, "p_worker": "w", "p_now": "2026-11-24Z", "p_lease_seconds": 60},
    "finish_run_v1": {"p_id": 1, "p_worker": "w", "p_now": "2026-11-24Z", "p_state": "failed", "p_result": {}},
    "get_runs_v1": {"p_now": "2026-11-24Z"},
    "get_alerts_v1": {},
    "take_requests_v1": {"p_exchange": "x", "p_per_second": 1, "p_burst": 1},
    "block_exchange_v1": {"p_exchange": "x", "p_seconds": 1, "p_reason": "x"},
    "get_limits_v1": {},
    "prune_v1": {
        "p_now": "2026-11-24Z",
        "p_wanted_since": "2026-11-24Z",
        "p_gaps_before": "2026-11-24Z",
        "p_runs_before": "2026-11-24Z",
        "p_alerts_before": "2026-11-24Z",
    },
}
CALLABLE_BY_ALL = {
    "get_candles_v1",
    "read_candles_v1",
    "read_candles_v2",
    "candles_version_v1",
    "get_holdings_v1",
    "get_coverage_v1",
    "count_candles_v2",
    "get_gaps_v1",
    "schema_version_v1",
}

ROLES = ("anon", "authenticated", "service_role")
VERBS = ("select", "insert", "update", "delete")


def allowed(role: str, table: str, verb: str) -> bool:
    """The whole law."""
    if verb == "select":
        return table in READABLE_BY_ALL or role == "service_role"
    if verb != "delete" and table in ADDED_TO_BY_SERVICE:
        return role == "service_role"
    return role == "service_role" and table in WRITABLE_BY_SERVICE


def ask(supabase: RunningSupabase, role: str, verb: str, table: str, row: dict[str, Any]) -> httpx.Response:
    token = sign_role(role, supabase.keys.jwt_secret, 4_102_444_800)
    headers = {"apikey": supabase.anon_key, "Authorization": f"Bearer {token}"}
    name, value = next(iter(row.items()), ("", ""))
    # These filters select nothing, so that only the right to try is tried.
    nothing = {name: f"eq.{value}", "limit": "0"} if verb == "select" else {name: "is.null"}
    method = {"select": "GET", "insert": "POST", "update": "PATCH", "delete": "DELETE"}[verb]
    return httpx.request(
        method,
        f"{supabase.url}/rest/v1/{table}",
        headers=headers,
        params=nothing if verb != "insert" else None,
        json=row if verb in ("insert", "update") else None,
    )


@pytest.mark.parametrize(("role", "table"), list(product(ROLES, ROWS)))
def test_each_role_does_with_each_table_what_it_may_and_nothing_else(
    market: Database, supabase: RunningSupabase, role: str, table: str
) -> None:
    if not market.value("select count(*) from instruments where id = 2"):
        market.add_instrument("ETH-USD")
    for verb in VERBS:
        answer = ask(supabase, role, verb, table, ROWS[table])
        if allowed(role, table, verb):
            assert answer.is_success, (verb, answer.text)
        else:
            # A view over a join takes writes from nobody (55000).
            refused = answer.status_code in (401, 403) or (table in VIEWS and answer.json()["code"] == "55000")
            assert refused, (verb, answer.text)


@pytest.mark.parametrize(("role", "function"), list(product(ROLES, FUNCTIONS)))
def test_maintenance_is_for_the_service_role_alone(
    market: Database, supabase: RunningSupabase, role: str, function: str
) -> None:
    answer = ask(supabase, role, "insert", f"rpc/{function}", FUNCTIONS[function])
    if role == "service_role" or function in CALLABLE_BY_ALL:
        assert answer.is_success, answer.text
    else:
        assert answer.status_code in (401, 403), answer.text


def test_what_everybody_may_read_is_there_to_read(market: Database, supabase: RunningSupabase) -> None:
    market.put([minute(0)])
    market.drain()
    market.value("select record_gaps_v2(1::smallint, 1::smallint, '{[2026-11-23Z,2026-11-24Z)}', 'scan', now())")
    for table in MARKET:
        rows = httpx.get(f"{supabase.url}/rest/v1/{table}", headers={"apikey": supabase.anon_key}).json()
        assert rows, table


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("schema", ["parts", "internal"])
def test_partitions_and_machinery_are_out_of_reach(
    database: Database, supabase: RunningSupabase, schema: str, role: str
) -> None:
    tables = [
        str(row[0])
        for row in database.rows("select relname from pg_class where relnamespace = %s::regnamespace", schema)
    ]
    table = {"parts": "candles_15m_and_up", "internal": "dirty"}[schema]
    assert table in tables
    assert ask(supabase, role, "select", table, {"id": 1}).status_code == 404
    token = sign_role(role, supabase.keys.jwt_secret, 4_102_444_800)
    headers = {"apikey": supabase.anon_key, "Authorization": f"Bearer {token}", "Accept-Profile": schema}
    assert httpx.get(f"{supabase.url}/rest/v1/{table}", headers=headers).status_code == 406
    database.run("begin")
    database.connection.execute(psycopg.sql.SQL("set local role {}").format(psycopg.sql.Identifier(role)))
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=f"permission denied for schema {schema}"):
        database.connection.execute(psycopg.sql.SQL("select from {}").format(psycopg.sql.Identifier(schema, table)))
    database.run("rollback")


def test_every_table_has_row_level_security(database: Database) -> None:
    bare = database.rows(
        "select oid::regclass from pg_class where relkind in ('r', 'p') and not relrowsecurity"
        " and relnamespace in ('public'::regnamespace, 'internal'::regnamespace)"
    )
    assert bare == []


def test_every_function_with_its_owner_s_rights_looks_names_up_nowhere_else(database: Database) -> None:
    loose = database.rows(
        "select oid::regprocedure from pg_proc where prosecdef and not 'search_path=\"\"' = any (proconfig)"
        " and pronamespace in ('public'::regnamespace, 'internal'::regnamespace)"
    )
    assert loose == []
    assert database.value("select count(*) from pg_proc where prosecdef and proconfig is null") == 0
