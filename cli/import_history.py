"""`marketdata import`: years of history at once, straight into the database."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from marketdata.clock import SystemClock
from marketdata.errors import RequestInvalid
from marketdata.exchange_access import ids_contiguous
from marketdata.exchanges.archives import archive_source
from marketdata.exchanges.prices import usual_side
from marketdata.exchanges.registry import adapter_for
from marketdata.exchanges.symbols import parse_pair, spell
from marketdata.model.instrument import Instrument
from marketdata.model.quote import PriceSide
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.net.rest import FILE_BYTES_MAX, PacedBudget, Rest

from cli.import_options import (
    FOLDER,
    Again,
    ArchiveUrl,
    Chunk,
    DryRun,
    Folder,
    From,
    ManageIndexes,
    To,
    asked_span,
    days,
    describe,
    report,
)
from cli.owner_connection import DatabaseUrl, owner_connection
from cli.progress import Ticker
from cli.resume import resumable
from local.imports.archive_import import ArchiveImport
from local.imports.csv_columns import Kind, column_map, read_candles, read_quotes, read_trades
from local.imports.csv_import import CsvImport
from local.imports.day_import import DayImport
from local.imports.day_plan import ask_days, plan_days
from local.imports.fetch import Fetcher, ask_archive
from local.imports.library import Library
from local.imports.plan import Content, plan_import
from local.imports.run import ImportRun

app = typer.Typer(help="Years of history at once, straight into the database.", no_args_is_help=True)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NEWEST_HOUR_AGE = timedelta(hours=2)
"""An archive of hours has one some time after it ended."""
NEWEST_DAY_AGE = timedelta(hours=12)
"""One of days too."""
FILES_A_SECOND, FILES_BURST = 4.0, 4
"""Of Binance's archive, which is plain files and says no limit."""
FILE_SECONDS_MAX = 120.0


@app.command()
def dukascopy(
    symbol: Annotated[str, typer.Argument(help="EURUSD, EUR/USD, XAUUSD, USA500IDXUSD, ...")],
    start: From,
    end: To,
    chunk: Chunk = "7d",
    only: Annotated[Content, typer.Option(help="Ticks and the candles they make, or candles alone.")] = Content.TICKS,
    price: Annotated[
        list[PriceSide] | None, typer.Option(help="Of what candles are: bid, ask or mid; repeat for more.")
    ] = None,
    source: Annotated[str, typer.Option(help="classic (.bi5 files), or json (newer, undocumented).")] = "classic",
    folder: Folder = FOLDER,
    url: ArchiveUrl = None,
    database_url: DatabaseUrl = None,
    again: Again = False,
    dry_run: DryRun = False,
    manage_indexes: ManageIndexes = False,
) -> None:
    """Import an instrument's ticks and minute candles. Interrupted or killed, run it again: it goes on where it was.

    Exit code 3: done, and some hours could not be had; they are on the gap ledger.
    """
    known, clock = archive_source("dukascopy", source), SystemClock()
    archive = known.make("dukascopy")
    span = asked_span(start, end, clock.now() - NEWEST_HOUR_AGE, HOUR)
    plan = plan_import(archive, symbol, span, content=only, sides=price or [archive.usual_side], chunk=days(chunk))
    typer.echo(describe(plan), err=True)
    if dry_run:
        return
    library = Library(folder / "dukascopy")
    budget = PacedBudget(known.requests_per_second, known.requests_burst, time.monotonic)
    rest = Rest("dukascopy", url or known.url, budget, clock, sleep=time.sleep)
    fetcher = Fetcher(ask_archive(rest.get, archive), library, clock, closed=plan.closed, sleep=time.sleep)
    with resumable(), owner_connection(database_url, "import") as connection, Ticker("importing") as ticker:
        load = ArchiveImport(connection, archive, library, plan, clock)
        done = ImportRun(plan, fetcher, load, ticker.show, again=again).run()
    rest.close()
    report(done)


@app.command()
def binance(
    symbol: Annotated[str, typer.Argument(help="BTC-USDT, btc/usdt, BTCUSDT, ...")],
    start: From,
    end: To,
    chunk: Chunk = "7d",
    only: Annotated[
        Content, typer.Option(help="Aggregate trades and the candles they prove, or the exchange's candles alone.")
    ] = Content.TICKS,
    keep_ticks: Annotated[
        bool, typer.Option(help="Keep the trades too, some 140 bytes each, and not only the candles they prove.")
    ] = True,
    folder: Folder = FOLDER,
    url: ArchiveUrl = None,
    database_url: DatabaseUrl = None,
    again: Again = False,
    dry_run: DryRun = False,
    manage_indexes: ManageIndexes = False,
) -> None:
    """Import whole days of Binance's archive. Interrupted or killed, run it again: it goes on where it was.

    Exit code 3: done, and some days could not be had; they are on the gap ledger.
    """
    adapter, clock = adapter_for("binance"), SystemClock()
    assert adapter.archive is not None
    assert adapter.archive_url is not None
    archive, pair = adapter.archive("binance"), parse_pair(symbol)
    instrument = Instrument("binance", spell("binance", pair), pair.base, pair.quote, active=False)
    span = asked_span(start, end, clock.now() - NEWEST_DAY_AGE, DAY)
    plan = plan_days(archive, instrument.symbol, span, content=only, chunk=days(chunk))
    typer.echo(describe(plan), err=True)
    if dry_run:
        return
    library = Library(folder / "binance")
    rest = Rest(
        "binance",
        url or adapter.archive_url,
        PacedBudget(FILES_A_SECOND, FILES_BURST, time.monotonic),
        clock,
        sleep=time.sleep,
        timeout_seconds=FILE_SECONDS_MAX,
        answer_bytes_max=FILE_BYTES_MAX,
    )
    fetcher = Fetcher(ask_days(rest.get, archive, instrument.symbol), library, clock, closed=(), sleep=time.sleep)
    with resumable(), owner_connection(database_url, "import") as connection, Ticker("importing") as ticker:
        load = DayImport(connection, archive, library, plan, instrument=instrument, clock=clock, keep_ticks=keep_ticks)
        done = ImportRun(plan, fetcher, load, ticker.show, again=again).run()
    rest.close()
    report(done)


@app.command("csv")
def csv_file(
    file: Annotated[Path, typer.Argument(help="A CSV file, sorted by time.")],
    exchange: Annotated[str, typer.Option(help="Whose data it is.")],
    symbol: Annotated[str, typer.Option(help="As the exchange spells it; it must be known already.")],
    kind: Annotated[Kind, typer.Option(help="What the rows are.")] = Kind.CANDLES,
    timeframe: Annotated[str, typer.Option(help="Of candles: 1m 5m 15m 1h 4h 12h 1d 1w")] = "1m",
    columns: Annotated[
        str | None, typer.Option(help="Where what stands: time=Open time,open=Open,... or positions: time=1,open=2,...")
    ] = None,
    database_url: DatabaseUrl = None,
    manage_indexes: ManageIndexes = False,
) -> None:
    """Import candles, trades or quotes from a CSV file, month by month; repeated, it changes nothing.

    Candles rank as the exchange's own, as of when the file was last changed. Those of trades are proven where ids of
    the exchange prove it; else, as those of quotes, they are partial: a file does not show what it has not.
    """
    places, frame = column_map(kind, columns), timeframe_named(timeframe)
    instrument = Instrument(exchange, symbol, "", "")
    if kind is not Kind.CANDLES and frame != M1:
        raise RequestInvalid("--timeframe", "is of candles; trades and quotes make candles of 1m")
    usual = usual_side(exchange)
    if kind is Kind.QUOTES and usual is None:
        raise RequestInvalid("--kind", f"{exchange} tells trades, and has no quotes")
    with owner_connection(database_url, "import") as connection, Ticker("importing") as ticker:
        load = CsvImport(connection, instrument, SystemClock(), ticker.show)
        if kind is Kind.CANDLES:
            done = load.load_candles(read_candles(file, places, instrument, frame, _changed_at(file)))
        elif kind is Kind.QUOTES and usual is not None:
            done = load.load_quotes(read_quotes(file, places, instrument), usual=usual)
        else:
            contiguous = ids_contiguous(exchange)
            done = load.load_trades(read_trades(file, places, instrument), ids_contiguous=contiguous)
        load.finish()
    typer.echo(f"{done.rows:,} rows, {done.candles:,} candles in {done.months} months", err=True)


def _changed_at(file: Path) -> datetime:
    """As of when the rows of a file are what they are: repeated, an import says the same."""
    try:
        return datetime.fromtimestamp(int(file.stat().st_mtime), UTC)
    except OSError as error:
        raise RequestInvalid(str(file), f"cannot be read: {error.strerror}") from error
