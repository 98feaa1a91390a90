"""`marketdata import` as a person runs it: a process that can be killed, an archive behind a real HTTP server."""

import asyncio
import signal
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from marketdata.clock import FakeClock
from marketdata.errors import RequestInvalid

from cli.import_options import asked_span, days
from local.exchanges.binance import binance_simulator
from local.exchanges.coinbase import Simulator
from local.exchanges.dukascopy import ArchiveFaults, DukascopyArchive
from local.exchanges.products import Product
from local.exchanges.quotes import QuoteMarket
from local.exchanges.tape import Tape
from tests.conftest import RunningSupabase
from tests.unit.local.imports.house import dump, migrated_database

# Each starts the real command.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SPAN = ("--from", "2024-01-30", "--to", "2024-02-01")
DEADLINE_SECONDS = 60.0
THIN = Product("BTC", "USDT", Decimal(65_000), 2, Decimal(1), trades_a_minute=2, quiet=0.1)


async def marketdata(
    *arguments: str, kill: "asyncio.Event | None" = None, by: signal.Signals = signal.SIGKILL
) -> tuple[int, str, str]:
    """Run the command; it gets that signal once `kill` is set."""
    path = f"{ROOT}:{ROOT / 'layers/marketdata/python'}"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from cli.main import main; main()",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": "", "PYTHONPATH": path},
    )
    killing = asyncio.create_task(_kill(process, kill, by)) if kill else None
    try:
        out, err = await asyncio.wait_for(process.communicate(), DEADLINE_SECONDS)
    finally:
        if killing is not None:
            killing.cancel()
    return process.returncode or 0, out.decode(), err.decode()


async def _kill(process: asyncio.subprocess.Process, when: asyncio.Event, by: signal.Signals) -> None:
    await when.wait()
    process.send_signal(by)


class CountingArchive(DukascopyArchive):
    """An archive that says when it was asked for its `limit`-th file."""

    def __init__(self, limit: int, faults: ArchiveFaults | None = None) -> None:
        super().__init__(QuoteMarket(7, ticks_an_hour=30), faults)
        self.limit = limit
        self.reached = asyncio.Event()

    def answer_classic(self, path: str) -> tuple[int, bytes]:
        answer = super().answer_classic(path)
        if sum(self.asked.values()) >= self.limit:
            self.reached.set()
        return answer


@pytest.mark.stack
@pytest.mark.slow
async def test_an_import_that_is_killed_goes_on_where_it_was_and_ends_in_the_same_bytes(
    supabase: RunningSupabase, tmp_path: Path
) -> None:
    with migrated_database(supabase.dsn) as one, migrated_database(supabase.dsn) as other:
        archive = CountingArchive(48)
        async with Simulator(archive.application()) as server:
            code, out, err = await run(server.url, one, tmp_path / "one")
            assert (code, out) == (0, ""), err
            assert "48 files in 1 months (1 new, attached whole)" in err
        archive = CountingArchive(20)
        async with Simulator(archive.application()) as server:
            code, _, _ = await run(server.url, other, tmp_path / "other", kill=archive.reached)
            assert code == -9
            code, _, err = await run(server.url, other, tmp_path / "other")
            assert code == 0, err
            # What was fetched and on the books was not asked for again; one file may have been on its way.
            assert 48 <= sum(archive.asked.values()) <= 49
        assert dump(one) == dump(other)


async def run(
    url: str,
    database: psycopg.Connection,
    folder: Path,
    *,
    kill: "asyncio.Event | None" = None,
    by: signal.Signals = signal.SIGKILL,
) -> tuple[int, str, str]:
    dsn = f"{database.info.dsn} password={database.info.password}"
    options = ("--url", f"{url}/datafeed", "--database-url", dsn, "--folder", str(folder))
    return await marketdata("import", "dukascopy", "EURUSD", *SPAN, *options, kill=kill, by=by)


@pytest.mark.stack
@pytest.mark.slow
async def test_ctrl_c_says_how_to_go_on_without_the_password(supabase: RunningSupabase, tmp_path: Path) -> None:
    archive = CountingArchive(10)
    with migrated_database(supabase.dsn) as database:
        async with Simulator(archive.application()) as server:
            code, out, err = await run(server.url, database, tmp_path, kill=archive.reached, by=signal.SIGINT)
            assert (code, out) == (130, "")
            assert "Go on with: marketdata import dukascopy EURUSD --from 2024-01-30" in err
            assert "--database-url ..." in err
            assert database.info.password not in err
            code, _, err = await run(server.url, database, tmp_path)
            assert code == 0, err
        assert sum(archive.asked.values()) <= 49


@pytest.mark.stack
@pytest.mark.slow
async def test_what_cannot_be_had_is_printed_and_makes_exit_code_3(supabase: RunningSupabase, tmp_path: Path) -> None:
    faults = ArchiveFaults()
    faults.always("EURUSD/2024/00/31/05h_ticks.bi5", 404)
    with migrated_database(supabase.dsn) as database:
        async with Simulator(CountingArchive(1, faults).application()) as server:
            code, out, err = await run(server.url, database, tmp_path)
    assert (code, out) == (3, "missing: 2024-01-31T05:00:00Z .. 2024-01-31T06:00:00Z\n")
    assert "1 missing" in err


@pytest.mark.stack
@pytest.mark.slow
async def test_days_of_binance_are_imported_and_a_csv_file_twice_changes_nothing(
    supabase: RunningSupabase, tmp_path: Path
) -> None:
    listed_at = datetime(2024, 12, 31, tzinfo=UTC)
    server = binance_simulator(Tape(7, (THIN,)), FakeClock(listed_at + timedelta(days=4)), listed_at=listed_at)
    with migrated_database(supabase.dsn) as database:
        dsn = f"{database.info.dsn} password={database.info.password}"
        async with Simulator(server) as listening:
            options = ("--url", listening.url, "--database-url", dsn, "--folder", str(tmp_path))
            span = ("--from", "2024-12-31", "--to", "2025-01-03")
            code, out, err = await marketdata("import", "binance", "BTC-USDT", *span, *options)
        assert (code, out) == (0, ""), err
        assert "6 files in 2 months (2 new, attached whole); files with nothing: none" in err
        before = dump(database)
        lines = database.execute(
            "select extract(epoch from open_time)::bigint, open, high, low, close, volume from public.candles"
            " where timeframe = 1 and open_time < '2025-01-01Z' order by open_time"
        ).fetchall()
        path = tmp_path / "own.csv"
        path.write_text("".join(",".join(map(str, line)) + "\n" for line in lines))
        places = "time=1,open=2,high=3,low=4,close=5,volume=6"
        csv = ("--exchange", "binance", "--symbol", "BTCUSDT", "--columns", places, "--database-url", dsn)
        for _ in range(2):
            code, _, err = await marketdata("import", "csv", str(path), *csv)
            assert code == 0, err
        # What is proven stays; at the edges the newer word of the same rank counts, once.
        after = dump(database)
        assert after["ticks"] == before["ticks"]
        assert len(set(after["candles"].splitlines()) - set(before["candles"].splitlines())) < 10
        await marketdata("import", "csv", str(path), *csv)
        assert dump(database) == after


async def test_what_is_no_symbol_or_no_chunk_of_binance_is_refused() -> None:
    span = ("--from", "2024-01-01", "--to", "2024-02-01", "--dry-run")
    code, _, err = await marketdata("import", "binance", "btc/usdt", *span)
    assert (code, "BTCUSDT from 2024-01-01T00:00:00Z" in err, "62 files in 5 chunks" in err) == (0, True, True)
    for wrong in (("BTC-USDT-PERP", *span), ("BTCNOTHING", *span), ("BTC-USDT", *span, "--chunk", "5h")):
        code, _, err = await marketdata("import", "binance", *wrong)
        assert code == 2, err


async def test_a_dry_run_says_what_would_be_done_and_needs_nothing() -> None:
    code, out, err = await marketdata("import", "dukascopy", "eur/usd", *SPAN, "--dry-run", "--manage-indexes")
    assert (code, out) == (0, "")
    assert "48 files in 1 chunks, 1 months" in err
    assert "--manage-indexes: nothing to do" in err


async def test_without_a_database_the_setting_is_named() -> None:
    code, _, err = await marketdata("import", "dukascopy", "EURUSD", *SPAN, "--folder", "/dev/null/nowhere")
    assert code == 2
    assert "--folder" in err
    code, _, err = await marketdata("import", "csv", "x.csv", "--exchange", "coinbase", "--symbol", "BTC-USD")
    assert code == 5
    assert "DATABASE_URL" in err


async def test_an_instrument_that_the_archive_has_not_is_refused() -> None:
    code, _, err = await marketdata("import", "dukascopy", "EURXXX", *SPAN, "--dry-run")
    assert code == 2
    assert "EURXXX" in err


def test_the_span_is_whole_hours_and_ends_where_an_archive_can() -> None:
    newest, hour = datetime(2026, 11, 21, 10, 30, tzinfo=UTC), timedelta(hours=1)
    span = asked_span("2026-11-20T10:20:00Z", "2026-11-20T11:01:00Z", newest, hour)
    assert (span.start.hour, span.end.hour) == (10, 12)
    assert asked_span("2026-11-20", "2026-12-31", newest, hour).end == datetime(2026, 11, 21, 10, tzinfo=UTC)
    days_of = asked_span("2026-11-18T10:20:00Z", "2026-12-31", newest, timedelta(days=1))
    assert (days_of.start, days_of.end) == (datetime(2026, 11, 18, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC))
    with pytest.raises(RequestInvalid, match="nothing before"):
        asked_span("2026-12-01", "2026-12-31", newest, hour)


def test_a_chunk_is_days() -> None:
    assert days("7d") == timedelta(days=7)
    for wrong in ("0d", "d", "7h", "-1d", "400d"):
        with pytest.raises(RequestInvalid, match="--chunk"):
            days(wrong)
