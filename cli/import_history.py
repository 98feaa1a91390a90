"""`marketdata import`: years of history at once, straight into the database."""

import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from marketdata.clock import SystemClock
from marketdata.errors import RequestInvalid
from marketdata.exchange_access import ids_contiguous
from marketdata.exchanges.archives import archive_source
from marketdata.model.instrument import Instrument
from marketdata.model.quote import PriceSide
from marketdata.model.span import Span
from marketdata.model.times import rfc3339
from marketdata.net.rest import PacedBudget, Rest
from marketdata.serve.request_times import boundary

from cli.backfill import GAPS_REMAIN
from cli.owner_connection import DatabaseUrl, owner_connection
from cli.progress import Ticker
from local.imports.archive_import import ArchiveImport, Imported
from local.imports.csv_columns import Kind, column_map, read_candles, read_trades
from local.imports.csv_import import CsvImport
from local.imports.fetch import Fetcher
from local.imports.library import Library
from local.imports.plan import Content, Plan, plan_import
from local.imports.run import ImportRun

app = typer.Typer(help="Years of history at once, straight into the database.", no_args_is_help=True)

FOLDER = Path("data/imports")
NEWEST_AGE = timedelta(hours=2)
"""An archive has an hour some time after it ended."""
INDEXES = (
    "--manage-indexes: nothing to do. Months that are new are loaded into a table of their own, get their key once and"
    " are attached whole; dropping and rebuilding the indexes of all history would take about 16 times as long, and"
    " leave readers without them meanwhile."
)


@app.command()
def dukascopy(
    symbol: Annotated[str, typer.Argument(help="EURUSD, EUR/USD, XAUUSD, USA500IDXUSD, ...")],
    start: Annotated[str, typer.Option("--from", help="The first hour, e.g. 2024-01-01.")],
    end: Annotated[str, typer.Option("--to", help="The end, excluded, e.g. 2025-01-01.")],
    chunk: Annotated[str, typer.Option(help="How much is fetched and reported at once, in days: 7d.")] = "7d",
    only: Annotated[Content, typer.Option(help="Ticks and the candles they make, or candles alone.")] = Content.TICKS,
    price: Annotated[
        list[PriceSide] | None, typer.Option(help="Of what candles are: bid, ask or mid; repeat for more.")
    ] = None,
    source: Annotated[str, typer.Option(help="classic (.bi5 files), or json (newer, undocumented).")] = "classic",
    folder: Annotated[Path, typer.Option(help="Where fetched files and their manifest are kept.")] = FOLDER,
    url: Annotated[str | None, typer.Option(help="Another address of the archive.")] = None,
    database_url: DatabaseUrl = None,
    again: Annotated[bool, typer.Option("--again", help="Ask anew for files that were fetched before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    manage_indexes: Annotated[
        bool, typer.Option("--manage-indexes", help="Accepted for those who know it elsewhere; not needed here.")
    ] = False,
) -> None:
    """Import an instrument's ticks and minute candles. Interrupted or killed, run it again: it goes on where it was.

    Exit code 3: done, and some hours could not be had; they are on the gap ledger.
    """
    known, clock = archive_source("dukascopy", source), SystemClock()
    archive = known.make("dukascopy")
    span = asked_span(start, end, clock.now())
    plan = plan_import(archive, symbol, span, content=only, sides=price or [archive.usual_side], chunk=days(chunk))
    if manage_indexes:
        typer.echo(INDEXES, err=True)
    typer.echo(describe(plan), err=True)
    if dry_run:
        return
    library = Library(folder / "dukascopy")
    budget = PacedBudget(known.requests_per_second, known.requests_burst, time.monotonic)
    rest = Rest("dukascopy", url or known.url, budget, clock, sleep=time.sleep)
    fetcher = Fetcher(rest.get, archive, library, clock, closed=plan.closed, sleep=time.sleep)
    with owner_connection(database_url, "import") as connection, Ticker("importing") as ticker:
        load = ArchiveImport(connection, archive, library, plan, clock)
        done = ImportRun(plan, fetcher, load, ticker.show, again=again).run()
    rest.close()
    report(done)


@app.command("csv")
def csv_file(
    file: Annotated[Path, typer.Argument(help="A CSV file, sorted by time.")],
    exchange: Annotated[str, typer.Option(help="Whose data it is.")],
    symbol: Annotated[str, typer.Option(help="As the exchange spells it; it must be known already.")],
    kind: Annotated[Kind, typer.Option(help="What the rows are: 1m candles, or trades.")] = Kind.CANDLES,
    columns: Annotated[
        str | None, typer.Option(help="Where what stands: time=Open time,open=Open,... or positions: time=1,open=2,...")
    ] = None,
    database_url: DatabaseUrl = None,
    manage_indexes: Annotated[
        bool, typer.Option("--manage-indexes", help="Accepted for those who know it elsewhere; not needed here.")
    ] = False,
) -> None:
    """Import candles or trades from a CSV file, month by month; repeated, it changes nothing."""
    if manage_indexes:
        typer.echo(INDEXES, err=True)
    places, instrument = column_map(kind, columns), Instrument(exchange, symbol, "", "")
    with owner_connection(database_url, "import") as connection, Ticker("importing") as ticker:
        load = CsvImport(connection, instrument, ticker.show)
        if kind is Kind.CANDLES:
            observed_at = SystemClock().now()
            done = load.load_candles(read_candles(file, places, instrument, observed_at))
        else:
            contiguous = ids_contiguous(exchange)
            done = load.load_trades(read_trades(file, places, instrument), ids_contiguous=contiguous)
        load.finish()
    typer.echo(f"{done.rows:,} rows, {done.candles:,} candles in {done.months} months", err=True)


def asked_span(start: str, end: str, now: datetime) -> Span:
    """Whole hours, up to what an archive can have by now. Raises: RequestInvalid."""
    first, last = _hour(boundary(start, "--from")), boundary(end, "--to")
    newest = _hour(now - NEWEST_AGE)
    last = min(_hour(last) if _hour(last) == last else _hour(last) + timedelta(hours=1), newest)
    if first >= last:
        raise RequestInvalid("--from", f"there is nothing before {rfc3339(last)}, where this would end")
    return Span(first, last)


def days(text: str) -> timedelta:
    """`7d` as seven days. Raises: RequestInvalid."""
    number = text.removesuffix("d")
    if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= 366:
        raise RequestInvalid("--chunk", f"{text!r} is not a number of days between 1d and 366d")
    return timedelta(days=int(number))


def describe(plan: Plan) -> str:
    """What will be done, for a person."""
    months = len({chunk.start.strftime("%Y-%m") for chunk in plan.chunks()})
    closed = sum(((span.end - span.start) for span in plan.closed), timedelta())
    prices = ", ".join(side.value for side in plan.sides)
    return (
        f"{plan.symbol} ({prices}) from {rfc3339(plan.span.start)} to {rfc3339(plan.span.end)}, the end excluded:"
        f" {len(plan.files):,} files in {len(list(plan.chunks()))} chunks, {months} months;"
        f" the market was closed for {closed / timedelta(hours=1):,.0f} hours"
    )


def report(done: Imported) -> None:
    """Say what was done. Raises: Exit with code 3 if history is missing."""
    absences = ", ".join(f"{count} {why}" for why, count in sorted(done.absences.items())) or "none"
    typer.echo(
        f"{done.ticks:,} ticks and {done.candles:,} candles of {done.files:,} files in {done.months} months"
        f" ({done.months_attached} new, attached whole); files without ticks: {absences}",
        err=True,
    )
    for span in done.missing[:20]:
        typer.echo(f"missing: {rfc3339(span.start)} .. {rfc3339(span.end)}")
    if done.missing:
        typer.echo(f"{len(done.missing)} stretches are missing and on the gap ledger; run the import again", err=True)
        raise typer.Exit(GAPS_REMAIN)


def _hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)
