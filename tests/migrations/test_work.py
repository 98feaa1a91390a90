"""What the database itself holds of runs, alerts and budgets, whoever writes."""

from typing import LiteralString

import psycopg
import pytest
from psycopg.types.range import Range

from tests.migrations.database import START, Database, span

_INSERT: LiteralString = (
    "insert into ingestion_jobs (kind, worker, trigger, state, started_at, lease_until, scheduled_time, finished_at)"
    " values ('gap_scan', %s, 'schedule', %s, %s, %s, %s, %s)"
)
_ALERT: LiteralString = (
    "insert into alerts (dedup_key, rule, severity, state, summary, created_at, resolved_at)"
    " values ('coinbase:BTC-USD:feed.stalled', 'feed.stalled', 'critical', %s, 'stalled', %s, %s)"
)


def insert_gap(database: Database) -> int:
    one = span(0, 10)
    number = database.value(
        "insert into candle_gaps (instrument_id, timeframe, span, cause, found_at) values (1, 1, %s, 'scan', %s)"
        " returning id",
        Range(one.start, one.end),
        START,
    )
    return int(number)


def test_one_time_of_a_schedule_runs_once_whoever_writes(market: Database) -> None:
    market.run(_INSERT, "ann", "failed", START, START, START, START)
    market.run(_INSERT, "bob", "running", START, START, START, None)
    with pytest.raises(psycopg.errors.UniqueViolation):
        market.run(_INSERT, "cid", "succeeded", START, START, START, START)


def test_a_run_has_an_end_or_runs(market: Database) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        market.run(_INSERT, "ann", "running", START, START, None, START)
    with pytest.raises(psycopg.errors.CheckViolation):
        market.run(_INSERT, "ann", "lost", START, START, None, None)


def test_an_alert_fires_once_at_a_time_whoever_writes(market: Database) -> None:
    market.run(_ALERT, "resolved", START, START)
    market.run(_ALERT, "firing", START, None)
    with pytest.raises(psycopg.errors.UniqueViolation):
        market.run(_ALERT, "firing", START, None)


def test_a_gap_and_its_alert_are_one_transaction(market: Database) -> None:
    number = insert_gap(market)
    market.run("begin")
    market.run("update candle_gaps set state = 'unrecoverable', repaired_at = %s where id = %s", START, number)
    assert market.value("select count(*) from alerts") == 1
    market.run("rollback")
    assert market.value("select count(*) from alerts") == 0
    assert market.value("select state from candle_gaps") == "open"


def test_a_gap_that_cannot_be_alerted_of_is_not_given_up(market: Database) -> None:
    number = insert_gap(market)
    market.run("alter table alerts add constraint nothing_goes check (false) not valid")
    with pytest.raises(psycopg.errors.CheckViolation):
        market.run("update candle_gaps set state = 'unrecoverable', repaired_at = %s where id = %s", START, number)
    market.run("alter table alerts drop constraint nothing_goes")
    assert market.value("select state from candle_gaps") == "open"


@pytest.mark.parametrize(
    "question",
    [
        "select start_run_v1('k', 'w', null, 60, 'cron')",
        "select start_run_v1('k', 'w', now(), 86401, 'cron')",
        "select renew_run_v1(1, 'w', 'infinity', 60)",
        "select renew_run_v1(1, 'w', now(), 0)",
        "select finish_run_v1(1, 'w', now(), 'running', '{}')",
        "select finish_run_v1(1, 'w', null, 'failed', '{}')",
        "select get_runs_v1(now(), null, null, null, 10001)",
        "select get_alerts_v1(null, 0)",
        "select take_requests_v1('x', 0, 1)",
        "select take_requests_v1('x', 1, 0)",
        "select take_requests_v1('x', 1, 1, 10001)",
        "select block_exchange_v1('x', -1, '')",
        "select block_exchange_v1('x', 'infinity', '')",
    ],
)
def test_a_question_out_of_bounds_is_refused(market: Database, question: LiteralString) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        market.value(question)
