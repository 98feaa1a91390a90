"""A database of its own for every import, and an archive that is asked without a network."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from aiohttp import web
from marketdata.clock import FakeClock
from marketdata.errors import RemoteAbsent, RemoteThrottled, RemoteUnavailable
from marketdata.exchanges.archives import archive_source
from marketdata.exchanges.binance_archive import BinanceArchive
from marketdata.exchanges.exchange import Request
from marketdata.model.instrument import Instrument
from marketdata.model.quote import PriceSide
from marketdata.model.span import Span

from local.exchanges.binance_archive import BinanceArchive as BinanceDays
from local.exchanges.binance_market import BinanceMarket, spelling
from local.exchanges.dukascopy import ArchiveFaults, DukascopyArchive
from local.exchanges.products import Product
from local.exchanges.quotes import QuoteMarket
from local.exchanges.tape import Tape
from local.imports.archive_import import ArchiveImport
from local.imports.day_import import DayImport
from local.imports.day_plan import ask_days, plan_days
from local.imports.fetch import Fetcher, ask_archive
from local.imports.imported import Imported
from local.imports.library import Library
from local.imports.plan import Content, plan_import
from local.imports.run import ImportRun
from local.migrate import apply_migrations
from tests.migrations.database import new_database

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)
_numbers = itertools.count()


@contextmanager
def migrated_database(server_dsn: str) -> Iterator[psycopg.Connection]:
    """A new database with the schema, and a connection to it in autocommit; gone afterwards."""
    with new_database(server_dsn, f"import_{next(_numbers)}") as dsn:
        apply_migrations(dsn)
        with psycopg.connect(dsn, autocommit=True) as connection:
            yield connection


class Archive:
    """Dukascopy's archive as imports ask it; `before` is called with every path that is asked for."""

    def __init__(self, server: DukascopyArchive, faults: ArchiveFaults, source: str = "classic") -> None:
        self.server = server
        self.faults = faults
        self.before: Callable[[str], object] = lambda _path: None
        self.adapter = archive_source("dukascopy", source).make("dukascopy")
        self._answer = server.answer_classic if source == "classic" else server.answer_newer

    def get(self, request: Request) -> bytes:
        """As net/rest: a body, or an error that says whose move it is."""
        self.before(request.path)
        status, body = self._answer(request.path)
        if status == 404:
            raise RemoteAbsent("dukascopy", "HTTP 404", "")
        if status == 429:
            raise RemoteThrottled("dukascopy", "HTTP 429", NOW + timedelta(seconds=5))
        if status != 200:
            raise RemoteUnavailable("dukascopy", f"HTTP {status}")
        return body


def archive(source: str = "classic", *, quiet: float = 0.0, folder: Path | None = None, **market: Any) -> Archive:
    """An invented archive, or one of real files."""
    faults = ArchiveFaults()
    made = QuoteMarket(7, **{"ticks_an_hour": 30, "quiet": quiet, **market})
    return Archive(DukascopyArchive(made, faults, folder=folder), faults, source)


def run_import(
    connection: psycopg.Connection,
    source: Archive,
    folder: Path,
    span: Span,
    *,
    content: Content = Content.TICKS,
    sides: tuple[PriceSide, ...] = (PriceSide.BID,),
    chunk: timedelta = 7 * DAY,
    again: bool = False,
) -> Imported:
    """The whole import of EUR/USD, as the command line runs it, without waiting."""
    clock = FakeClock(NOW)
    plan = plan_import(source.adapter, "EURUSD", span, content=content, sides=sides, chunk=chunk)
    library = Library(folder)
    fetcher = Fetcher(
        ask_archive(source.get, source.adapter), library, clock, closed=plan.closed, sleep=lambda _seconds: None
    )
    load = ArchiveImport(connection, source.adapter, library, plan, clock)
    return ImportRun(plan, fetcher, load, lambda _sentence: None, again=again).run()


class Days:
    """Binance's archive of days as imports ask it; `before` is called with every path that is asked for.

    `gone` are beginnings of paths that are not there, `instead` what is answered in the place of the market's own.
    """

    def __init__(self, *, spoilt: frozenset[str] = frozenset(), listed_at: datetime, product: Product) -> None:
        self.tape, self.market, self._server = _days_server(listed_at, product, spoilt)
        self.before: Callable[[str], object] = lambda _path: None
        self.gone: set[str] = set()
        self.instead: dict[str, bytes] = {}
        self.asked: list[str] = []

    def get(self, request: Request) -> bytes:
        """As net/rest."""
        self.before(request.path)
        self.asked.append(request.path)
        if request.path in self.instead:
            return self.instead[request.path]
        if any(part in request.path for part in self.gone):
            raise RemoteAbsent("binance", "HTTP 404", "")
        try:
            return self.answer(request.path)
        except web.HTTPNotFound:
            raise RemoteAbsent("binance", "HTTP 404", "") from None

    def answer(self, path: str) -> bytes:
        """What the archive has there, always the same. Raises: HTTPNotFound."""
        return self._server(path)


@cache
def _days_server(
    listed_at: datetime, product: Product, spoilt: frozenset[str]
) -> tuple[Tape, BinanceMarket, Callable[[str], bytes]]:
    """One for all tests that ask for it: each file takes a while to make."""
    tape = Tape(7, (product,))
    market = BinanceMarket(tape, listed_at)
    return tape, market, cache(BinanceDays(market, FakeClock(NOW), spoilt).answer)


def run_days(
    connection: psycopg.Connection,
    source: Days,
    folder: Path,
    span: Span,
    *,
    content: Content = Content.TICKS,
    keep_ticks: bool = True,
    again: bool = False,
) -> Imported:
    """The whole import of days, as the command line runs it, without waiting."""
    clock, archive, library = FakeClock(NOW), BinanceArchive(), Library(folder)
    (product,) = source.market.products.values()
    instrument = Instrument("binance", spelling(product), product.base, product.quote, active=False)
    plan = plan_days(archive, instrument.symbol, span, content=content, chunk=7 * DAY)
    ask = ask_days(source.get, archive, instrument.symbol)
    fetcher = Fetcher(ask, library, clock, closed=(), sleep=lambda _seconds: None)
    load = DayImport(connection, archive, library, plan, instrument=instrument, clock=clock, keep_ticks=keep_ticks)
    return ImportRun(plan, fetcher, load, lambda _sentence: None, again=again).run()


_DUMPS: dict[str, LiteralString] = {
    "ticks": "select * from public.ticks order by instrument_id, time, trade_id",
    "quotes": "select * from public.quotes order by instrument_id, time, ordinal",
    "candles": "select * from public.candles order by instrument_id, timeframe, open_time",
    "coverage": "select * from public.coverage order by instrument_id, timeframe, month",
    "gaps": "select instrument_id, timeframe, span, state, cause, reason from public.candle_gaps order by 1, 2, 3",
    "instruments": "select id, exchange, symbol, base, quote, active from public.instruments order by id",
    "queue": "select instrument_id from internal.dirty",
}


def rows(connection: psycopg.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """The same but for how often a row changed on its way: several smaller imports roll up several times."""
    found = {name: connection.execute(query).fetchall() for name, query in _DUMPS.items()}
    columns = [one.name for one in connection.execute("select * from public.candles limit 0").description or ()]
    at = columns.index("revision")
    found["candles"] = [(*row[:at], *row[at + 1 :]) for row in found["candles"]]
    return found


def dump(connection: psycopg.Connection) -> dict[str, bytes]:
    """Everything that an import makes, byte by byte, as Postgres itself writes it."""
    return {name: _dump(connection, query) for name, query in _DUMPS.items()}


def _dump(connection: psycopg.Connection, query: LiteralString) -> bytes:
    with connection.cursor() as cursor, cursor.copy(f"copy ({query}) to stdout") as copy:
        return b"".join(bytes(part) for part in copy)
