"""Days of Binance's archive in the database: proven by their trades, checked by the exchange's candles, repeatable."""

import io
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from marketdata.clock import FakeClock
from marketdata.errors import RemoteUnavailable
from marketdata.model.candle import Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span

from local.exchanges.binance_market import aggregated
from local.exchanges.products import Product
from local.imports.books import Books
from local.imports.plan import Absence, Content
from tests.conftest import RunningSupabase
from tests.unit.local.imports.house import DAY, NOW, Days, dump, migrated_database, run_days

pytestmark = pytest.mark.stack

START = datetime(2024, 12, 30, tzinfo=UTC)
SPAN = Span(START, START + 4 * DAY)
"""Over the end of a month, and of the milliseconds."""
MINUTE = timedelta(minutes=1)
THIN = Product("BTC", "USDT", Decimal(65_000), 2, Decimal(1), trades_a_minute=2, quiet=0.1)
KLINES, TRADES = "klines/BTCUSDT/1m/BTCUSDT-1m", "aggTrades/BTCUSDT/BTCUSDT-aggTrades"


@pytest.fixture
def database(supabase: RunningSupabase) -> Iterator[psycopg.Connection]:
    with migrated_database(supabase.dsn) as connection:
        yield connection


@pytest.fixture
def other_database(supabase: RunningSupabase) -> Iterator[psycopg.Connection]:
    with migrated_database(supabase.dsn) as connection:
        yield connection


def days(**given: Any) -> Days:
    return Days(listed_at=START - DAY, product=THIN, **given)


def rows(database: psycopg.Connection, query: LiteralString) -> list[tuple[Any, ...]]:
    return database.execute(query).fetchall()


def minutes(database: psycopg.Connection) -> list[tuple[Any, ...]]:
    return rows(
        database,
        "select open_time, open, high, low, close, volume, source from public.candles where timeframe = 1 order by 1",
    )


def truth(source: Days, span: Span) -> Iterator[tuple[datetime, Decimal, Decimal, Decimal, Decimal, Decimal]]:
    tape, start = source.tape, span.start
    while start < span.end:
        bar = tape.bar("BTC-USDT", Span(start, start + MINUTE))
        if bar is not None:
            yield start, bar.open, bar.high, bar.low, bar.close, bar.volume
        start += MINUTE


class Killed(BaseException):
    """What ends a process without asking it."""


def kill_at(source: Days, number: int) -> None:
    """End the process when it asks for the `number`-th time, once."""
    left = [number]

    def count(_path: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    source.before = count


def test_trades_and_the_candles_that_they_prove_are_exact(database: psycopg.Connection, tmp_path: Path) -> None:
    source = days()
    done = run_days(database, source, tmp_path, SPAN)
    assert (done.files, done.absences, done.missing, done.differing) == (8, {}, (), [])
    assert (done.months, done.months_attached) == (2, 2)
    found = minutes(database)
    assert [one[:6] for one in found] == list(truth(source, SPAN))
    # Nobody can prove the edges of what was asked for; there the exchange's own candles stand.
    ranks = [Source(one[6]) for one in found]
    assert {ranks[0], ranks[-1]} == {Source.VENUE}
    assert set(ranks[1:-1]) == {Source.PROVEN}
    told = aggregated(source.market.trades("BTCUSDT", SPAN.start, SPAN.end))
    held = rows(database, "select trade_id, count, price, size, taker_buy from public.ticks order by time, trade_id")
    assert held == [(one.id, one.count, one.price, one.size, one.side == "buy") for one in told]
    assert done.ticks == len(held)
    # Every minute is held or known to be empty, and nothing waits.
    known = rows(
        database, "select range_agg(times) from (select unnest(covered + empty) from public.coverage) as x(times)"
    )
    assert known[0][0][0].lower <= SPAN.start
    assert known[0][0][0].upper >= SPAN.end
    assert rows(database, "select count(*) from internal.dirty") == [(0,)]
    assert rows(database, "select count(*) from public.candles where timeframe = 1440") == [(4,)]


@pytest.mark.parametrize("killed_at", [1, 8, 9, 16])
def test_killed_at_any_request_and_resumed_it_ends_in_the_same_bytes(
    database: psycopg.Connection, other_database: psycopg.Connection, killed_at: int, tmp_path: Path
) -> None:
    run_days(database, days(), tmp_path / "one", SPAN)
    source = days()
    kill_at(source, killed_at)
    with pytest.raises(Killed):
        run_days(other_database, source, tmp_path / "other", SPAN)
    run_days(other_database, source, tmp_path / "other", SPAN)
    assert dump(database) == dump(other_database)
    # Of each file there are two requests; the one that was killed between them is asked for again.
    assert len(source.asked) <= 17


def test_an_import_again_changes_nothing(database: psycopg.Connection, tmp_path: Path) -> None:
    run_days(database, days(), tmp_path, SPAN)
    before = dump(database)
    done = run_days(database, days(), tmp_path, SPAN, again=True)
    assert done.months_attached == 0
    assert dump(database) == before


def test_a_day_without_trades_is_told_by_the_exchanges_candles(database: psycopg.Connection, tmp_path: Path) -> None:
    source = days()
    source.gone = {f"{TRADES}-2024-12-31"}
    done = run_days(database, source, tmp_path, SPAN)
    assert (done.absences, done.missing) == ({Absence.MISSING: 1}, ())
    found = minutes(database)
    assert [one[:6] for one in found] == list(truth(source, SPAN))
    missed = [one for one in found if one[0].date() == datetime(2024, 12, 31, tzinfo=UTC).date()]
    assert {Source(one[6]) for one in missed} == {Source.VENUE}


def test_a_day_that_is_not_there_is_a_gap_until_it_comes(database: psycopg.Connection, tmp_path: Path) -> None:
    source, gone = days(), Span(START + DAY, START + 2 * DAY)
    source.gone = {"2024-12-31"}
    done = run_days(database, source, tmp_path, SPAN)
    assert done.missing == (gone,)
    ledger: LiteralString = "select lower(span), upper(span), state, cause from public.candle_gaps"
    assert rows(database, ledger) == [(gone.start, gone.end, "open", "import")]
    source.gone = set()
    assert run_days(database, source, tmp_path, SPAN).missing == ()
    assert rows(database, ledger) == [(gone.start, gone.end, "filled", "import")]
    assert [one[:6] for one in minutes(database)] == list(truth(source, SPAN))


def test_minutes_that_neither_trades_nor_the_exchange_tell_are_gaps(
    database: psycopg.Connection, tmp_path: Path
) -> None:
    source = days()
    source.gone = {KLINES}
    done = run_days(database, source, tmp_path, SPAN)
    first, last = minutes(database)[0], minutes(database)[-1]
    assert [one.start for one in done.missing] == [first[0], last[0]]
    assert {Source(one[6]) for one in (first, last)} == {Source.PARTIAL}
    # Minutes without trades are known to be empty all the same: ids prove it.
    assert all(one.end - one.start == MINUTE for one in done.missing)


def test_a_file_that_is_not_what_its_checksum_says_is_not_believed(
    database: psycopg.Connection, tmp_path: Path
) -> None:
    source = days(spoilt=frozenset({"BTCUSDT-aggTrades-2024-12-31.zip"}))
    done = run_days(database, source, tmp_path, SPAN)
    assert done.absences == {Absence.MISSING: 1}
    assert '"reason":"6 x archive: the file is not what its checksum says' in (tmp_path / "manifest.jsonl").read_text()
    assert [one[:6] for one in minutes(database)] == list(truth(source, SPAN))


def test_a_file_whose_trades_cannot_be_read_keeps_none_of_them_and_is_fetched_anew(
    database: psycopg.Connection, tmp_path: Path
) -> None:
    source, path = days(), f"/data/spot/daily/{TRADES}-2024-12-31.zip"
    cut = altered(source.answer(path), lambda lines: lines[-1].__setitem__(1, "nothing"))
    source.instead = {path: cut, f"{path}.CHECKSUM": sha256(cut).hexdigest().encode()}
    done = run_days(database, source, tmp_path, SPAN)
    assert done.absences == {Absence.MISSING: 1}
    assert [one[:6] for one in minutes(database)] == list(truth(source, SPAN))
    day = "select count(*) from public.ticks where time >= '2024-12-31Z' and time < '2025-01-01Z'"
    assert rows(database, day) == [(0,)]
    source.instead = {}
    assert run_days(database, source, tmp_path, SPAN).absences == {}
    assert rows(database, day) != [(0,)]


def test_where_the_exchange_says_something_else_than_its_trades_the_trades_win_and_it_is_told(
    database: psycopg.Connection, tmp_path: Path
) -> None:
    source = days()
    path = f"/data/spot/daily/{KLINES}-2024-12-31.zip"
    other = altered(source.answer(path), one_more)
    source.instead = {path: other, f"{path}.CHECKSUM": sha256(other).hexdigest().encode()}
    done = run_days(database, source, tmp_path, SPAN)
    assert [one[:14] for one in done.differing] == ["2024-12-31T10:"]
    assert [one[:6] for one in minutes(database)] == list(truth(source, SPAN))


def altered(body: bytes, alter: Callable[[list[list[str]]], object]) -> bytes:
    """The same file with other rows."""
    with zipfile.ZipFile(io.BytesIO(body)) as packed:
        (name,) = packed.namelist()
        lines = [line.split(",") for line in packed.read(name).decode().splitlines()]
    alter(lines)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        packed.writestr(name, "".join(",".join(line) + "\n" for line in lines))
    return made.getvalue()


def one_more(lines: list[list[str]]) -> None:
    """Another volume in a minute of ten o'clock."""
    traded = next(line for line in lines[600:] if Decimal(line[5]))
    traded[5] = str(Decimal(traded[5]) + 1)


def test_single_trades_that_the_feed_kept_are_not_counted_twice(database: psycopg.Connection, tmp_path: Path) -> None:
    source = days()
    number = Books(database, FakeClock(NOW)).number_of_new(Instrument("binance", "BTCUSDT", "BTC", "USDT"))
    live = source.market.trades("BTCUSDT", START + 3 * DAY, START + 3 * DAY + timedelta(hours=1))
    database.execute("select public.ensure_partitions_v1(%s, %s)", (START + 3 * DAY, START + 4 * DAY))
    for trade in live:
        time = datetime.fromtimestamp(trade.time_ns // 1_000_000 / 1_000, UTC)
        values = (number, trade.side == "buy", time, trade.id, trade.price, trade.size)
        database.execute(
            "insert into public.ticks (instrument_id, taker_buy, time, trade_id, price, size)"
            " values (%s, %s, %s, %s, %s, %s)",
            values,
        )
    run_days(database, source, tmp_path, SPAN)
    counted = rows(database, "select sum(count), sum(size) from public.ticks")
    told = source.market.trades("BTCUSDT", SPAN.start, SPAN.end)
    assert counted == [(len(told), sum(one.size for one in told))]


def test_candles_alone_are_the_exchanges_own(database: psycopg.Connection, tmp_path: Path) -> None:
    source = days()
    done = run_days(database, source, tmp_path, SPAN, content=Content.CANDLES)
    assert (done.files, done.ticks) == (4, 0)
    found = minutes(database)
    assert [one[:6] for one in found] == list(truth(source, SPAN))
    assert {Source(one[6]) for one in found} == {Source.VENUE}
    assert rows(database, "select count(*) from public.ticks") == [(0,)]


def test_candles_are_proven_without_their_trades_being_kept(database: psycopg.Connection, tmp_path: Path) -> None:
    done = run_days(database, days(), tmp_path, SPAN, keep_ticks=False)
    assert done.ticks > 0
    assert rows(database, "select count(*) from public.ticks") == [(0,)]
    assert Source.PROVEN in {Source(one[6]) for one in minutes(database)}


def test_history_from_before_the_listing_says_what_to_do(database: psycopg.Connection, tmp_path: Path) -> None:
    source = days()
    source.gone = {"2024-"}
    with pytest.raises(RemoteUnavailable, match="begin later"):
        run_days(database, source, tmp_path, Span(START - 30 * DAY, START + 3 * DAY))
