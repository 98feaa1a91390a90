"""A day of Binance's archive into the database by `marketdata import binance`, beside a bare COPY of the same rows."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
from marketdata.clock import SystemClock
from marketdata.exchanges.binance_archive import BinanceArchive
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span

from benchmarks.bare_copy import bare_copy, require_the_same_rows
from local.exchanges.binance_archive import BinanceArchive as Server
from local.exchanges.binance_market import BinanceMarket
from local.exchanges.products import Product
from local.exchanges.tape import Tape
from local.imports.copy_text import CANDLE_COLUMNS, TICK_COLUMNS
from local.imports.day_import import DayImport
from local.imports.day_plan import DayFile, plan_days
from local.imports.library import Library
from local.imports.plan import Content, Plan

START = datetime(2025, 3, 3, tzinfo=UTC)
BTC = Product("BTC", "USDT", Decimal(85_000), 2, Decimal("0.02"), trades_a_minute=250)
INSTRUMENT = Instrument("binance", "BTCUSDT", "BTC", "USDT", active=False)


def measure_days(connection: psycopg.Connection, folder: Path, rounds: int) -> tuple[dict[str, list[float]], int]:
    """Seconds by what is done, and how many rows a round has."""
    library = _library(folder)
    _import(connection, library)
    lines = _lines(connection)
    seconds: dict[str, list[float]] = {"bare COPY": [], "import": [], "import, rollups too": []}
    rows = 0
    for number in range(rounds):
        before = time.perf_counter()
        rows = bare_copy(connection, (("ticks", TICK_COLUMNS, lines[0]), ("candles", CANDLE_COLUMNS, lines[1])))
        seconds["bare COPY"].append(time.perf_counter() - before)
        _forget(connection)
        loaded, all_of_it = _import(connection, library)
        seconds["import"].append(loaded)
        seconds["import, rollups too"].append(all_of_it)
        if number == 0:
            require_the_same_rows(connection, "ticks", TICK_COLUMNS)
            require_the_same_rows(connection, "candles", CANDLE_COLUMNS)
    return seconds, rows


def _plan() -> Plan[DayFile]:
    span = Span(START, START + timedelta(days=1))
    return plan_days(BinanceArchive(), INSTRUMENT.symbol, span, content=Content.TICKS, chunk=timedelta(days=7))


def _library(folder: Path) -> Library:
    """The files as if they had been fetched."""
    library, clock = Library(folder), SystemClock()
    server = Server(BinanceMarket(Tape(1, (BTC,)), START), clock)
    for file in _plan().files:
        library.keep(file.place, server.answer(file.day.request.path), START)
    return library


def _import(connection: psycopg.Connection, library: Library) -> tuple[float, float]:
    """How long it took to load, and until everything was rolled up."""
    plan = _plan()
    load = DayImport(
        connection,
        BinanceArchive(),
        library,
        plan,
        instrument=INSTRUMENT,
        clock=SystemClock(),
        keep_ticks=True,
    )
    before = time.perf_counter()
    load.load(plan.span)
    loaded = time.perf_counter() - before
    load.finish()
    assert load.done.months_attached == 1, load.done
    return loaded, time.perf_counter() - before


def _lines(connection: psycopg.Connection) -> tuple[list[str], list[str]]:
    """The same rows, ready to be copied, as they are in the database."""
    ticks = f"select {', '.join(TICK_COLUMNS)} from public.ticks order by time, trade_id"
    candles = f"select {', '.join(CANDLE_COLUMNS)} from public.candles where timeframe = 1 order by open_time"
    return list(_copied(connection, ticks)), list(_copied(connection, candles))


def _copied(connection: psycopg.Connection, query: str) -> Iterator[str]:
    with connection.cursor() as cursor, cursor.copy(f"copy ({query}) to stdout".encode()) as copy:
        text = b"".join(bytes(part) for part in copy).decode().splitlines(keepends=True)
    for first in range(0, len(text), 5_000):
        yield "".join(text[first : first + 5_000])


def _forget(connection: psycopg.Connection) -> None:
    """The database as before, so that each round loads a new day of a new month."""
    connection.execute(f"drop table parts.ticks_{START:%Y%m%d}; drop table parts.candles_1m_{START:%Y%m}")
    connection.execute("set session_replication_role = replica")
    connection.execute("delete from public.candles; delete from public.coverage; delete from internal.dirty")
    connection.execute("set session_replication_role = origin")
    connection.execute("vacuum public.coverage")
