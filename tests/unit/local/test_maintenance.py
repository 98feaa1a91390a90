"""Maintenance on a real database: what is too old goes, what was made of it stays, and what is wrong is said."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from marketdata.errors import RequestInvalid
from marketdata.model.span import Span

from local import maintenance
from tests.conftest import RunningSupabase
from tests.unit.local.imports.house import archive, migrated_database, run_import

NOW = datetime(2026, 11, 21, tzinfo=UTC)
YEAR = timedelta(days=365)
DAY = timedelta(days=1)


@pytest.fixture
def database(supabase: RunningSupabase) -> Iterator[psycopg.Connection]:
    """Two days around the end of a month, imported."""
    with migrated_database(supabase.dsn) as connection:
        yield connection


def count(database: psycopg.Connection, timeframe: int) -> int:
    row = database.execute("select count(*) from public.candles where timeframe = %s", (timeframe,)).fetchone()
    return int(row[0]) if row else -1


@pytest.mark.stack
def test_old_minutes_and_quotes_go_and_their_hours_stay_also_after_the_next_drain(
    database: psycopg.Connection, tmp_path: Path
) -> None:
    start = datetime(2024, 1, 31, tzinfo=UTC)
    run_import(database, archive(), tmp_path, Span(start, start + 2 * DAY))
    hours, minutes = count(database, 60), count(database, 1)
    assert hours == 48
    values = (
        "select open_time, open, high, low, close, volume, trades from public.candles"
        " where timeframe = 60 order by open_time"
    )
    before = database.execute(values).fetchall()
    maintenance.keep(database, {"1m": timedelta(days=1_024), "quotes": timedelta(days=1_024)})
    steps: list[int] = []
    # A day after January is older than is kept; February is not yet.
    now = datetime(2024, 2, 1, tzinfo=UTC) + timedelta(days=1_025)
    assert maintenance.prune(database, now, steps.append) == len(steps) > 0
    assert 0 < count(database, 1) < minutes
    assert count(database, 60) == hours
    row = database.execute("select min(time) >= '2024-02-01' from public.quotes").fetchone()
    assert row == (True,)
    touched = "{[2024-01-31Z, 2024-02-02Z)}"
    database.execute("insert into internal.dirty (instrument_id, minutes, times) values (1, 1, %s)", (touched,))
    database.execute("select public.drain_dirty_v1()")
    assert database.execute(values).fetchall() == before
    assert maintenance.problems(database) == []
    assert maintenance.prune(database, now, steps.append) == 0


@pytest.mark.stack
def test_old_hours_go_row_by_row_and_days_stay(database: psycopg.Connection, tmp_path: Path) -> None:
    start = datetime(2024, 1, 31, tzinfo=UTC)
    run_import(database, archive(), tmp_path, Span(start, start + DAY))
    maintenance.keep(database, {"1h": YEAR})
    maintenance.prune(database, NOW, lambda _step: None)
    assert (count(database, 60), count(database, 1440)) == (0, 1)
    assert count(database, 1) > 0


@pytest.mark.stack
def test_nothing_goes_where_nothing_is_said(database: psycopg.Connection, tmp_path: Path) -> None:
    start = datetime(2010, 1, 4, tzinfo=UTC)
    run_import(database, archive(), tmp_path, Span(start, start + DAY))
    assert maintenance.prune(database, NOW, lambda _step: None) == 0
    assert maintenance.kept(database) == {}


@pytest.mark.stack
def test_a_check_finds_what_coverage_and_rollups_do_not_say(database: psycopg.Connection, tmp_path: Path) -> None:
    start = datetime(2024, 1, 30, tzinfo=UTC)
    run_import(database, archive(), tmp_path, Span(start, start + DAY))
    assert maintenance.problems(database) == []
    database.execute("set session_replication_role = replica")
    database.execute("delete from public.candles where timeframe = 1 and open_time < '2024-01-30 01:00Z'")
    database.execute(
        "update public.candles set high = high + 1 where timeframe = 60 and open_time = '2024-01-30 05:00Z'"
    )
    database.execute("set session_replication_role = origin")
    missing, hour = maintenance.problems(database)
    assert "EURUSD 2024-01" in missing
    assert "2024-01-30 05:00" in hour
    database.execute("insert into internal.dirty (instrument_id, minutes, times) values (1, 1, '{}')")
    assert "wait to be rolled up" in maintenance.problems(database)[0]


@pytest.mark.stack
def test_partitions_are_listed_and_made_ahead(database: psycopg.Connection) -> None:
    before = maintenance.partitions(database)
    now = datetime(2031, 5, 10, tzinfo=UTC)
    made = maintenance.make_room(database, now, timedelta(days=3))
    after = maintenance.partitions(database)
    assert made == len(after) - len(before) == 5
    assert {one.name for one in after} >= {"candles_1m_203105", "candles_5m_2031", "ticks_20310510", "ticks_20310512"}
    maintenance.analyze(database)


def test_a_rule_is_a_name_and_days() -> None:
    assert maintenance.rules_from(["1m=400d", "ticks=30"], YEAR) == {
        "1m": timedelta(days=400),
        "ticks": timedelta(days=30),
    }
    for wrong in ("1m", "2m=3d", "1m=0d", "ticks=-3d", "1m=manyd"):
        with pytest.raises(RequestInvalid, match="--keep"):
            maintenance.rules_from([wrong], YEAR)


def test_minutes_are_kept_for_as_long_as_their_gaps_are_looked_for() -> None:
    with pytest.raises(RequestInvalid, match="GAP_HISTORY_DAYS"):
        maintenance.rules_from(["1m=30d"], YEAR)
