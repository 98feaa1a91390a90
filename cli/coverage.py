"""`marketdata coverage`: how much of each day is held, proven, known to be empty, or missing."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated

import typer
from marketdata.clock import SystemClock
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.report_coverage import CoverageReport, report_coverage
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.serve.params import CoverageQuery
from rich.console import Console
from rich.table import Table

from cli.house_store import house_store
from cli.moments import moment

DAYS_MAX = 366


def coverage(
    symbol: Annotated[
        list[str] | None, typer.Option("--symbol", "-s", help="In any spelling; repeat for more. All if not given.")
    ] = None,
    exchange: Annotated[str | None, typer.Option(help="Only of this exchange.")] = None,
    timeframe: Annotated[str, typer.Option(help="1m 5m 15m 1h 4h 12h 1d 1w")] = "1m",
    days: Annotated[int, typer.Option(help="How many days back from now.", min=1, max=DAYS_MAX)] = 7,
    since: Annotated[
        str | None, typer.Option("--since", "--from", help="Since then instead: a date, RFC 3339, or 7d, 12h.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what GET /v1/coverage answers.")] = False,
) -> None:
    """Count the closed buckets of each day: expected = present + no trades + missing."""
    frame = timeframe_named(timeframe)
    store, clock = house_store(), SystemClock()
    instruments, now = KnownInstruments(store, clock), clock.now()
    end = M1.floor(now)
    start = moment(since, "--since", end) if since else end - timedelta(days=days)
    asked = CoverageQuery(None, exchange, frame, start, end)
    queries = [replace(asked, symbol=one) for one in symbol] if symbol else [asked]
    reports = [report_coverage(store, instruments, now, query) for query in queries]
    whole = replace(reports[0], days=tuple(day for report in reports for day in report.days))
    if json:
        typer.echo(whole.body())
    else:
        Console().print(coverage_table(whole))


def coverage_table(report: CoverageReport) -> Table:
    """The report for a person; the days on which something is missing are red."""
    table = Table("exchange", "symbol", "day", title=f"coverage of {report.timeframe}", title_justify="left")
    for name in ("expected", "present", "proven", "no trades", "missing", "partial", "coverage"):
        table.add_column(name, justify="right")
    for instrument, day in report.days:
        counts = (day.expected, day.present, day.proven, day.no_trades, day.missing, day.partial)
        numbers = [str(count) for count in counts]
        style = "red" if day.missing else None
        table.add_row(
            instrument.exchange, instrument.symbol, str(day.day), *numbers, _percent(day.coverage), style=style
        )
    return table


def _percent(share: float) -> str:
    """Rounded down, so that 100.00 % means all."""
    return f"{round(share * 1_000_000) // 100 / 100:.2f} %"
