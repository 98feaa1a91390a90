"""`marketdata db`: maintenance as an operator runs it, on a database of its own."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from marketdata.model.span import Span

from tests.conftest import RunningSupabase
from tests.unit.cli.test_import_history import marketdata
from tests.unit.local.imports.house import archive, migrated_database, run_import

pytestmark = [pytest.mark.stack, pytest.mark.slow]

START = datetime(2024, 1, 31, tzinfo=UTC)


@pytest.fixture
def database(supabase: RunningSupabase, tmp_path: Path) -> Iterator[psycopg.Connection]:
    """An hour of quotes, imported."""
    with migrated_database(supabase.dsn) as connection:
        run_import(connection, archive(), tmp_path, Span(START, START + timedelta(hours=1)))
        yield connection


async def db(database: psycopg.Connection, *arguments: str) -> tuple[int, str, str]:
    dsn = f"{database.info.dsn} password={database.info.password}"
    return await marketdata("db", *arguments, "--database-url", dsn)


async def test_a_check_is_silent_about_what_is_well_and_exit_code_1_of_what_is_not(
    database: psycopg.Connection,
) -> None:
    code, out, err = await db(database, "check")
    assert (code, out) == (0, ""), err
    assert "consistent" in err
    database.execute("delete from public.coverage")
    code, out, _ = await db(database, "check")
    assert code == 1
    assert "dukascopy EURUSD 2024-01" in out


async def test_partitions_are_listed_and_made_and_statistics_are_brought_up_to_date(
    database: psycopg.Connection,
) -> None:
    (code, _, err), (_, out, _) = [await db(database, "analyze"), await db(database, "partitions", "--ahead", "20")]
    assert code == 0, err
    assert "quotes_202401" in out
    assert "candles_1m_202401" in out
    ahead = datetime.now(UTC) + timedelta(days=19)
    assert f"ticks_{ahead:%Y%m%d}" in out


async def test_retention_is_said_once_and_enforced_from_then_on(database: psycopg.Connection) -> None:
    code, out, _ = await db(database, "prune", "--keep", "quotes=30d", "--dry-run")
    assert (code, out) == (0, "quotes: 30 days\n")
    kept = database.execute("select what from public.retention").fetchall()
    code, out, err = await db(database, "prune", "--keep", "quotes=30d", "--keep", "1m=400d")
    assert (kept, code, out) == ([], 0, "1m: 400 days\nquotes: 30 days\n"), err
    assert database.execute("select count(*) from public.quotes").fetchone() == (0,)
    # Their hour stays, and the schedule goes on with the same rules: roll_up asks for a step each minute.
    assert database.execute("select count(*) from public.candles where timeframe = 60").fetchone() == (1,)
    assert database.execute("select public.prune_history_v1(now())").fetchone() == (0,)
    refused, _, err = await db(database, "prune", "--keep", "1m=2d")
    assert (refused, "GAP_HISTORY_DAYS" in err) == (2, True)
