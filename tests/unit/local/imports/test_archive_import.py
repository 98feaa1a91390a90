"""An archive's history in the database: exact, explained hour by hour, and the same however often it was killed."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from marketdata.errors import MarketDataError
from marketdata.model.candle import Source
from marketdata.model.quote import PriceSide
from marketdata.model.span import Span

from local.imports.plan import Absence, Content
from tests.captures import FOLDER, needs_captures
from tests.conftest import RunningSupabase
from tests.unit.local.imports.house import DAY, Archive, archive, dump, migrated_database, rows, run_import

pytestmark = pytest.mark.stack

START = datetime(2024, 1, 30, tzinfo=UTC)
SPAN = Span(START, START + 3 * DAY)
"""Two days of January, one of February: 72 files."""
HOUR = timedelta(hours=1)


@pytest.fixture
def database(supabase: RunningSupabase) -> Iterator[psycopg.Connection]:
    with migrated_database(supabase.dsn) as connection:
        yield connection


@pytest.fixture
def other_database(supabase: RunningSupabase) -> Iterator[psycopg.Connection]:
    with migrated_database(supabase.dsn) as connection:
        yield connection


class Killed(BaseException):
    """What ends a process without asking it."""


def value(database: psycopg.Connection, query: str) -> object:
    row = database.execute(query).fetchone()
    return row[0] if row else None


@needs_captures
def test_the_real_day_is_in_the_database_tick_by_tick_and_candle_by_candle(
    database: psycopg.Connection, tmp_path: Path
) -> None:
    day = Span(datetime(2019, 2, 4, tzinfo=UTC), datetime(2019, 2, 5, tzinfo=UTC))
    done = run_import(database, archive(folder=FOLDER / "dukascopy"), tmp_path, day)
    assert (done.ticks, done.candles, done.months_attached, done.missing) == (136_741, 1_440, 1, ())
    found = database.execute(
        "select extract(epoch from open_time)::bigint * 1000, open, high, low, close, trades, source"
        " from public.candles where timeframe = 1 order by open_time"
    ).fetchall()
    with (FOLDER / "expected/dukascopy_EURUSD_2019-02-04_1m_bid.csv").open() as file:
        expected = [
            (int(row[0]), *map(Decimal, row[1:5]), int(row[5]), int(Source.VENUE)) for row in list(csv.reader(file))[1:]
        ]
    assert found == expected
    first = "select bid, ask, bid_size, ask_size from public.quotes order by time, ordinal limit 1"
    assert database.execute(first).fetchone() == (Decimal("1.14543"), Decimal("1.14545"), 2_060_000, 1_000_000)
    # Rollups and coverage are up to date, and nothing waits in the queue.
    assert value(database, "select count(*) from public.candles where timeframe = 60") == 24
    assert value(database, "select covered from public.coverage where timeframe = 1")
    assert value(database, "select count(*) from internal.dirty") == 0


@needs_captures
@pytest.mark.slow
@pytest.mark.parametrize("killed_at", range(1, 25))
def test_the_real_day_killed_at_any_file_and_resumed_is_the_same_byte_for_byte(
    supabase: RunningSupabase, killed_at: int, tmp_path: Path
) -> None:
    day = Span(datetime(2019, 2, 4, tzinfo=UTC), datetime(2019, 2, 5, tzinfo=UTC))
    with migrated_database(supabase.dsn) as one, migrated_database(supabase.dsn) as other:
        run_import(one, archive(folder=FOLDER / "dukascopy"), tmp_path / "one", day)
        source = archive(folder=FOLDER / "dukascopy")
        kill_at(source, killed_at)
        with pytest.raises(Killed):
            run_import(other, source, tmp_path / "other", day)
        run_import(other, source, tmp_path / "other", day)
        assert dump(one) == dump(other)
        assert sum(source.server.asked.values()) == 24


def kill_at(source: Archive, number: int) -> None:
    """End the process when it asks for its `number`-th file, once."""
    left = [number]

    def count(_path: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    source.before = count


@pytest.mark.parametrize("killed_at", [1, 24, 48, 49, 72])
def test_killed_at_a_file_and_resumed_it_ends_in_the_same_bytes_and_fetches_nothing_twice(
    database: psycopg.Connection, other_database: psycopg.Connection, killed_at: int, tmp_path: Path
) -> None:
    run_import(database, archive(), tmp_path / "one", SPAN)
    source = archive()
    kill_at(source, killed_at)
    with pytest.raises(Killed):
        run_import(other_database, source, tmp_path / "other", SPAN)
    run_import(other_database, source, tmp_path / "other", SPAN)
    assert dump(database) == dump(other_database)
    assert set(source.server.asked.values()) == {1}


def test_a_month_that_cannot_be_loaded_whole_is_not_there_at_all_and_the_next_run_loads_it(
    database: psycopg.Connection, other_database: psycopg.Connection, tmp_path: Path
) -> None:
    run_import(database, archive(), tmp_path / "one", SPAN)
    source, place = archive(), "EURUSD/2024/01/01/05h_ticks.bi5"

    def damage(path: str) -> None:
        if path == "EURUSD/2024/01/01/23h_ticks.bi5":
            (tmp_path / "other" / place).write_bytes(b"")

    source.before = damage
    with pytest.raises(MarketDataError, match="is not what was fetched"):
        run_import(other_database, source, tmp_path / "other", SPAN)
    assert value(other_database, "select max(time) < '2024-02-01' from public.quotes") is True
    source.before = lambda _path: None
    run_import(other_database, source, tmp_path / "other", SPAN)
    assert dump(database) == dump(other_database)
    assert source.server.asked[place] == 2


def test_both_sources_bring_the_same_history(
    database: psycopg.Connection, other_database: psycopg.Connection, tmp_path: Path
) -> None:
    run_import(database, archive("classic"), tmp_path / "one", SPAN)
    run_import(other_database, archive("json"), tmp_path / "other", SPAN)
    assert dump(database) == dump(other_database)


def test_an_import_again_changes_nothing_where_a_month_has_data(database: psycopg.Connection, tmp_path: Path) -> None:
    first = run_import(database, archive(), tmp_path, SPAN)
    before = dump(database)
    again = run_import(database, archive(), tmp_path, SPAN, again=True)
    assert (first.months_attached, again.months_attached) == (2, 0)
    assert dump(database) == before


def test_weeks_into_a_month_that_is_there_are_merged(
    database: psycopg.Connection, other_database: psycopg.Connection, tmp_path: Path
) -> None:
    run_import(database, archive(), tmp_path / "one", SPAN)
    for day in range(3):
        part = Span(START + day * DAY, START + (day + 1) * DAY)
        run_import(other_database, archive(), tmp_path / "other", part)
    assert rows(database) == rows(other_database)


def test_every_hour_without_ticks_is_explained(database: psycopg.Connection, tmp_path: Path) -> None:
    source, friday = archive(), datetime(2024, 1, 26, tzinfo=UTC)
    # Empty twice; empty once and then with data; gone; and a weekend that begins at 22:00 of UTC.
    source.faults.always("EURUSD/2024/00/26/03h_ticks.bi5", 200)
    source.faults.once("EURUSD/2024/00/26/05h_ticks.bi5", 200)
    source.faults.always("EURUSD/2024/00/26/07h_ticks.bi5", 404)
    source.faults.always("EURUSD/2024/00/26/22h_ticks.bi5", 404)
    source.faults.always("EURUSD/2024/00/26/23h_ticks.bi5", 200)
    done = run_import(database, source, tmp_path, Span(friday, friday + DAY))
    assert done.absences == {Absence.NO_TRADES: 1, Absence.MISSING: 1, Absence.MARKET_CLOSED: 2}
    missing = (friday + 7 * HOUR, friday + 8 * HOUR)
    assert done.missing == (Span(*missing),)
    gaps = database.execute("select lower(span), upper(span), state, cause from public.candle_gaps").fetchall()
    assert gaps == [(*missing, "open", "import")]
    asked = {path[-13:-10]: times for path, times in source.server.asked.items()}
    # Emptiness is believed when it is said twice, or once by both the archive and the calendar.
    assert (asked["03h"], asked["05h"], asked["07h"], asked["22h"], asked["23h"]) == (2, 2, 2, 1, 1)
    known = "select empty @> '{}'::tstzrange from public.coverage where timeframe = 1"
    assert value(database, known.format("[2024-01-26 03:00Z,2024-01-26 04:00Z)")) is True
    assert value(database, known.format("[2024-01-26 22:00Z,2024-01-26 22:01Z)")) is False


def test_a_missing_hour_that_comes_later_closes_its_gap(
    database: psycopg.Connection, other_database: psycopg.Connection, tmp_path: Path
) -> None:
    source = archive()
    source.faults.always("EURUSD/2024/00/30/07h_ticks.bi5", 503)
    done = run_import(database, source, tmp_path / "one", SPAN)
    assert done.missing == (Span(START + 7 * HOUR, START + 8 * HOUR),)
    source.faults.heal()
    done = run_import(database, source, tmp_path / "one", SPAN)
    assert done.missing == ()
    assert value(database, "select state from public.candle_gaps") == "filled"
    run_import(other_database, archive(), tmp_path / "other", SPAN)
    ours, theirs = dump(database), dump(other_database)
    assert {name: ours[name] for name in ("quotes", "coverage")} == {
        name: theirs[name] for name in ("quotes", "coverage")
    }


def test_candles_alone_equal_those_of_the_ticks_but_for_their_number(
    database: psycopg.Connection, other_database: psycopg.Connection, tmp_path: Path
) -> None:
    span = Span(START, START + DAY)
    run_import(database, archive(), tmp_path / "one", span)
    done = run_import(other_database, archive(), tmp_path / "other", span, content=Content.CANDLES)
    assert (done.files, done.ticks) == (1, 0)
    same = "select open_time, open, high, low, close, volume from public.candles where timeframe = 1 order by open_time"
    assert database.execute(same).fetchall() == other_database.execute(same).fetchall()
    assert value(other_database, "select count(*) from public.quotes") == 0
    # The flat rows that the archive makes up are not candles: they are minutes known to be empty.
    known = "select empty from public.coverage where timeframe = 1"
    assert value(database, known) == value(other_database, known)


def test_every_price_is_an_instrument_of_its_own(database: psycopg.Connection, tmp_path: Path) -> None:
    run_import(database, archive(), tmp_path, Span(START, START + DAY), sides=tuple(PriceSide))
    found = database.execute(
        "select symbol, active, exists (select from public.candles where instrument_id = id) from public.instruments"
    ).fetchall()
    assert sorted(found) == [("EURUSD", False, True), ("EURUSD:ask", False, True), ("EURUSD:mid", False, True)]


def test_a_file_that_changed_since_wins_over_what_it_said_before(database: psycopg.Connection, tmp_path: Path) -> None:
    span = Span(START, START + HOUR)
    run_import(database, archive(ticks_an_hour=3_000), tmp_path, span)
    revised = archive(points=120_000, ticks_an_hour=3_000)
    run_import(database, revised, tmp_path, span, again=True)
    low, high = (
        "select min(low) from public.candles where timeframe = 1",
        "select max(observed_at) from public.candles where timeframe = 1",
    )
    assert value(database, low) > Decimal("1.15")  # type: ignore[operator]
    assert value(database, high) > START + 2 * HOUR  # type: ignore[operator]
