"""Room for candles and trades is made ahead of time, in bounded parts, and where nobody can reach past the parent."""

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from local.migrate import apply_migrations
from tests.conftest import RunningSupabase
from tests.migrations.database import Database, new_database

FROM, TO = "2019-12-31 12:00Z", "2020-02-01 00:00Z"


@pytest.fixture(scope="module")
def database(supabase: RunningSupabase) -> Iterator[Database]:
    """A database of its own: hundreds of partitions would slow every other test down."""
    with new_database(supabase.dsn, "roomy") as dsn:
        apply_migrations(dsn)
        opened = Database(dsn)
        with opened.connection:
            yield opened


def partitions(database: Database, prefix: str) -> list[str]:
    found = database.rows(
        "select relname from pg_class where relnamespace = 'parts'::regnamespace and relispartition"
        " and relkind = 'r' and starts_with(relname, %s) order by relname",
        prefix,
    )
    return [str(row[0]) for row in found]


def test_the_migration_makes_room_for_what_comes_next(database: Database) -> None:
    for months in (0, 1, 3):
        name = database.value("select to_char(now() at time zone 'UTC' + %s * interval '1 month', 'YYYYMM')", months)
        assert f"candles_1m_{name}" in partitions(database, "candles_1m_")
    for days in (-1, 0, 13):
        name = database.value("select to_char(now() at time zone 'UTC' + %s * interval '1 day', 'YYYYMMDD')", days)
        assert f"ticks_{name}" in partitions(database, "ticks_")
    assert f"candles_5m_{datetime.now(UTC).year}" in partitions(database, "candles_5m_")


def test_a_span_gets_its_months_years_and_days_once(database: Database) -> None:
    assert database.value("select ensure_partitions_v1(%s, %s)", FROM, TO) == 2 + 2 + 32
    assert database.value("select ensure_partitions_v1(%s, %s)", FROM, TO) == 0
    assert partitions(database, "candles_1m_2019") == ["candles_1m_201912"]
    assert partitions(database, "candles_1m_2020") == ["candles_1m_202001"]
    assert partitions(database, "ticks_2020")[-1] == "ticks_20200131"


def test_the_session_s_time_zone_moves_no_border(database: Database) -> None:
    database.run("set timezone = 'Pacific/Auckland'")
    database.value("select ensure_partitions_v1('2018-05-01 00:00Z', '2018-05-02 00:00Z')")
    database.run("set timezone = 'UTC'")
    bound = database.value("select pg_get_expr(relpartbound, oid) from pg_class where relname = 'candles_1m_201805'")
    assert bound == "FOR VALUES FROM ('2018-05-01 00:00:00+00') TO ('2018-06-01 00:00:00+00')"
    assert partitions(database, "ticks_2018") == ["ticks_20180501"]


def test_a_long_span_takes_several_calls_and_an_endless_one_is_refused(database: Database) -> None:
    long = ("2012-01-01Z", "2013-06-01Z")
    days = 366 + 151
    made = [database.value("select ensure_partitions_v1(%s, %s)", *long) for _ in range(7)]
    assert made == [17 + 2 + 100, 100, 100, 100, 100, days - 500, 0]
    for span in (
        ("2000-01-01Z", "2020-01-02Z"),
        ("2020-01-01Z", "infinity"),
        ("2020-01-02Z", "2020-01-02Z"),
        (None, TO),
    ):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="p_from, p_to"):
            database.value("select ensure_partitions_v1(%s::timestamptz, %s::timestamptz)", *span)


def test_readers_go_on_while_room_is_made(database: Database) -> None:
    with psycopg.connect(database.dsn) as reader:
        reader.execute("select count(*) from candles")
        with psycopg.connect(database.dsn, autocommit=True, options="-c lock_timeout=2s") as maker:
            made = maker.execute("select ensure_partitions_v1('2017-03-01Z', '2017-03-02Z')").fetchone()
        assert made == (3,)


def test_a_new_month_merges_and_queues_like_every_other(database: Database) -> None:
    database.add_instrument()
    database.value("select ensure_partitions_v1('2016-03-01Z', '2016-03-02Z')")
    for _ in range(2):
        database.run(
            "insert into candles (instrument_id, timeframe, open_time, source, open, high, low, close, volume)"
            " values (1, 1, '2016-03-01Z', 4, 1, 1, 1, 1, 1)"
            " on conflict (instrument_id, timeframe, open_time) do update set close = excluded.close"
        )
    assert database.queued() == 1
    with pytest.raises(psycopg.errors.CheckViolation, match="prices_are_possible"):
        database.run("update candles set source = 5, high = 'NaN'")
