"""`marketdata gaps`: the ledger of what is missing."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated

import msgspec
import typer
from marketdata.clock import SystemClock
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.query_gaps import find_gap_page, query_gaps
from marketdata.jobs.recorded_run import RecordedRun
from marketdata.jobs.scan_gaps import UNRESOLVED_COUNTED, ScanResult, scan_gaps
from marketdata.model.gap import UNRESOLVED, Gap
from marketdata.model.times import rfc3339
from marketdata.serve.cursor import Cursors
from marketdata.serve.parameters import SHORT_LIMIT_DEFAULT, SHORT_LIMIT_MAX
from marketdata.serve.params import GAP_STATES, GapQuery
from marketdata.settings import settings_from
from marketdata.wiring import store_from
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli import repair
from cli.house_store import house_environment

app = typer.Typer(help="The ledger of what is missing: list it, scan for more, repair it.", no_args_is_help=True)

app.command("repair")(repair.repair)

GAPS_REMAIN = 3
"""The exit code of a command that did its work and leaves gaps open."""

SCAN_TIME_MAX = timedelta(minutes=10)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]


@app.command("list")
def list_them(
    state: Annotated[
        list[str] | None,
        typer.Option(help="open leased filled no_trades market_closed unrecoverable, or all; repeat, or use commas."),
    ] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", "-s", help="In any usual spelling.")] = None,
    exchange: Annotated[str | None, typer.Option(help="Only of this exchange.")] = None,
    limit: Annotated[int, typer.Option(help="How many.", min=1, max=SHORT_LIMIT_MAX)] = SHORT_LIMIT_DEFAULT,
    cursor: Annotated[str | None, typer.Option(help="Go on where the page before ended.")] = None,
    json: Json = False,
) -> None:
    """Print gaps on the ledger, oldest entry first; unless a state is named, those that are not resolved."""
    states = GAP_STATES.read(",".join(state)) if state else UNRESOLVED
    settings = settings_from(house_environment())
    store, clock = store_from(settings), SystemClock()
    instruments, cursors = KnownInstruments(store, clock), Cursors(settings.cursor_secret.reveal())
    query = GapQuery(symbol, exchange, states, limit, cursor)
    if json:
        typer.echo(query_gaps(store, instruments, cursors, clock, query))
        return
    page = find_gap_page(store, instruments, cursors, query)
    Console().print(gaps_table(page.gaps))
    if page.next_cursor:
        typer.echo(f"there may be more: --cursor {page.next_cursor}", err=True)


@app.command()
def scan(json: Json = False) -> None:
    """Find what is missing and put it on the ledger. Exit code 3: gaps are open afterwards."""
    settings = settings_from(house_environment())
    store, clock = store_from(settings), SystemClock()
    with RecordedRun(store, clock, "gap_scan", lease=SCAN_TIME_MAX, trigger="operator") as run:
        result = scan_gaps(
            store,
            clock,
            clock.now() + SCAN_TIME_MAX,
            history=timedelta(days=settings.gap_history_days),
            grace=timedelta(seconds=settings.gap_grace_seconds),
        )
        run.succeed(result.document())
    if json:
        typer.echo(msgspec.json.encode(result.document()).decode())
    else:
        Console().print(scan_table(result))
        typer.echo(_summary(result), err=True)
    if result.unresolved or not result.drained:
        raise typer.Exit(GAPS_REMAIN)


def gaps_table(gaps: Iterable[Gap]) -> Table:
    """Gaps for a person."""
    table = Table("id", "exchange", "symbol", "start", "end")
    table.add_column("buckets", justify="right")
    for name in ("state", "cause", "tries", "reason"):
        table.add_column(name)
    for gap in gaps:
        buckets = (gap.span.end - gap.span.start) // gap.timeframe.duration
        edges = (rfc3339(gap.span.start), rfc3339(gap.span.end))
        what = (gap.state.value, gap.cause, str(gap.attempts), escape(gap.reason))
        table.add_row(str(gap.id), gap.exchange, gap.symbol, *edges, str(buckets), *what)
    return table


def scan_table(result: ScanResult) -> Table:
    """What a scan found, for a person."""
    table = Table("exchange", "symbol")
    for name in ("found", "minutes", "recorded"):
        table.add_column(name, justify="right")
    for one in result.instruments:
        table.add_row(one.exchange, one.symbol, str(one.spans), str(one.minutes), str(one.recorded))
    return table


def _summary(result: ScanResult) -> str:
    if not result.drained:
        return "the queue of changes was not drained in time, so nothing was looked for: scan again"
    least = "at least " if result.unresolved == UNRESOLVED_COUNTED else ""
    return f"{result.closed} closed, {least}{result.unresolved} unresolved"
