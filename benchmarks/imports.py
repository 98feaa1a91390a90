"""Ticks a second into the database by `marketdata import`, beside a bare COPY of the same rows, in one run.

An import decodes LZMA files, makes candles, writes quotes and candles into months that are then attached, and explains
what is not there, all in one transaction. The bare COPY gets the same lines ready made, into empty tables with the same
columns, constraints and keys, and does nothing else. Both run against the same Postgres, with fsync, in turns; files
lie on disk, because the network is not what is measured. Both make the same rows, or there is no figure. The days of
Binance are in imported_days.
"""

import lzma
import statistics
import struct
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from marketdata.clock import SystemClock
from marketdata.compute.fold_columns import fold_columns
from marketdata.exchanges.dukascopy_classic import DukascopyClassic
from marketdata.model.candle import Source
from marketdata.model.quote import PriceSide
from marketdata.model.span import Span

from benchmarks.bare_copy import bare_copy, require_the_same_rows
from benchmarks.imported_days import measure_days
from benchmarks.result import Result, Table
from local.exchanges.quotes import QuoteMarket
from local.imports.archive_import import ArchiveImport
from local.imports.copy_text import CANDLE_COLUMNS, QUOTE_COLUMNS, candle_lines, quote_lines
from local.imports.library import Library
from local.imports.plan import Content, Plan, plan_import
from local.supabase import LocalSupabase
from local.supabase_binaries import BinariesMissing

START = datetime(2024, 1, 2, tzinfo=UTC)
DAYS = 3
TICKS_AN_HOUR = 5_700
"""EUR/USD on 2019-02-04 had 136,741 ticks."""
ROUNDS = 5
_COLUMNS = ("what is done", "rows/s, best round", "rows/s, median round", "share of the bare COPY, median")


def run(announce: Callable[[str], None]) -> Result:
    """Measure; one note instead where npm did not install Postgres."""
    try:
        with tempfile.TemporaryDirectory() as folder, LocalSupabase(Path(folder) / "db", fsync=True) as supabase:
            announce(f"writing {DAYS} days of .bi5 files")
            library = _library(Path(folder) / "files")
            with psycopg.connect(supabase.dsn, autocommit=True) as connection:
                announce("copying and importing in turns")
                seconds, rows = _measure(connection, library, announce)
                announce("writing a day of trades, copying and importing it in turns")
                days, trades = measure_days(connection, Path(folder) / "days", ROUNDS)
    except BinariesMissing as missing:
        return Result("imports", (), (f"not measured: {missing}",))
    tables = (
        _table("Dukascopy: three days of ticks", seconds, rows),
        _table("Binance: a day of aggregate trades", days, trades),
    )
    return Result("imports", tables, (f"{rows:,} and {trades:,} rows a round, minute candles among them",))


def _library(folder: Path) -> Library:
    """Files as the archive has them, as if they had been fetched."""
    library, market = Library(folder), QuoteMarket(1, ticks_an_hour=TICKS_AN_HOUR)
    for file in _plan().files:
        ticks = market.hour("EURUSD", file.span.start)
        records = (
            struct.pack(">3i2f", tick.milliseconds, tick.ask, tick.bid, tick.ask_size / 1e6, tick.bid_size / 1e6)
            for tick in ticks
        )
        library.keep(file.place, lzma.compress(b"".join(records), format=lzma.FORMAT_ALONE), START)
    return library


def _plan() -> Plan:
    span = Span(START, START + timedelta(days=DAYS))
    return plan_import(
        DukascopyClassic(),
        "EURUSD",
        span,
        content=Content.TICKS,
        sides=[PriceSide.BID],
        chunk=timedelta(days=7),
    )


def _measure(
    connection: psycopg.Connection, library: Library, announce: Callable[[str], None]
) -> tuple[dict[str, list[float]], int]:
    lines = _lines(library)
    seconds: dict[str, list[float]] = {"bare COPY": [], "import": [], "import, rollups too": []}
    rows = 0
    for number in range(ROUNDS):
        announce(f"round {number + 1} of {ROUNDS}")
        rows = _timed(
            seconds["bare COPY"],
            lambda: bare_copy(connection, (("quotes", QUOTE_COLUMNS, lines[0]), ("candles", CANDLE_COLUMNS, lines[1]))),
        )
        imported = ArchiveImport(connection, DukascopyClassic(), library, _plan(), SystemClock())
        before = time.perf_counter()
        imported.load(_plan().span)
        seconds["import"].append(time.perf_counter() - before)
        imported.finish()
        seconds["import, rollups too"].append(time.perf_counter() - before)
        assert imported.done.ticks + imported.done.candles == rows, imported.done
        assert imported.done.months_attached == 1, imported.done
        if number == 0:
            require_the_same_rows(connection, "quotes", QUOTE_COLUMNS)
            require_the_same_rows(connection, "candles", CANDLE_COLUMNS)
        _forget(connection)
    return seconds, rows


def _timed(into: list[float], work: Callable[[], int]) -> int:
    before = time.perf_counter()
    result = work()
    into.append(time.perf_counter() - before)
    return result


def _lines(library: Library) -> tuple[list[str], list[str]]:
    """The same rows, ready to be copied."""
    quotes, candles = [], []
    for file in _plan().files:
        columns = DukascopyClassic().parse_ticks(library.body(file.place), file)
        quotes.append(quote_lines(columns, 1))
        folded = fold_columns(columns, "dukascopy", "EURUSD", PriceSide.BID, Source.VENUE)
        candles.append(candle_lines([replace(one, observed_at=file.span.end) for one in folded], 1))
    return quotes, candles


def _forget(connection: psycopg.Connection) -> None:
    """The database as before, so that each round loads new months."""
    connection.execute("drop table parts.quotes_202401; drop table parts.candles_1m_202401")
    connection.execute("set session_replication_role = replica")
    connection.execute("delete from public.candles; delete from public.coverage; delete from internal.dirty")
    connection.execute("set session_replication_role = origin")
    connection.execute("vacuum public.coverage")


def _table(title: str, seconds: dict[str, list[float]], rows: int) -> Table:
    bare = statistics.median(seconds["bare COPY"])
    return Table(
        f"{title}: a bulk import beside a bare COPY of the same rows; wall clock",
        _COLUMNS,
        tuple(
            (
                name,
                f"{rows / min(taken):,.0f}",
                f"{rows / statistics.median(taken):,.0f}",
                f"{bare / statistics.median(taken):.2f}",
            )
            for name, taken in seconds.items()
        ),
    )
