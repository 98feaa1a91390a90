"""`marketdata roi`: return and risk of every market and window, with how much there was to compute it of."""

from collections.abc import Iterable
from typing import Annotated

import typer
from marketdata.clock import SystemClock
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.query_statistics import find_statistics
from marketdata.model.statistics import RoiStatistic
from marketdata.model.windows import WINDOWS
from marketdata.serve.cursor import Cursors
from marketdata.serve.decimals import as_string
from marketdata.serve.parameters import LIMIT_MAX
from marketdata.serve.statistics_json import statistics_body
from marketdata.serve.statistics_params import roi_query
from marketdata.settings import settings_from
from marketdata.wiring import store_from
from rich.console import Console
from rich.table import Table

from cli.house_store import house_environment

_ORDER = {window.name: place for place, window in enumerate(WINDOWS)}
_PERCENT = ("roi", "volatility", "max_drawdown", "best", "worst")


def roi(
    symbol: Annotated[str | None, typer.Option("--symbol", "-s", help="In any spelling; all if not given.")] = None,
    exchange: Annotated[str | None, typer.Option(help="Only of this exchange.")] = None,
    window: Annotated[str | None, typer.Option(help="1h 24h 7d 30d 365d; all if not given.")] = None,
    history: Annotated[bool, typer.Option("--history", help="Not the newest alone.")] = False,
    limit: Annotated[int, typer.Option(help="How many.", min=1, max=LIMIT_MAX)] = 1_000,
    cursor: Annotated[str | None, typer.Option(help="Go on where the page before ended.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what GET /v1/roi answers.")] = False,
) -> None:
    """Show return and risk, newest of each market and window."""
    settings, clock = settings_from(house_environment()), SystemClock()
    store = store_from(settings)
    instruments, cursors = KnownInstruments(store, clock), Cursors(settings.cursor_secret.reveal())
    given = {"symbol": symbol, "exchange": exchange, "window": window, "cursor": cursor, "limit": str(limit)}
    asked = {name: value for name, value in given.items() if value} | {"view": "history" if history else "latest"}
    page = find_statistics(store, instruments, cursors, RoiStatistic, roi_query(asked))
    if json:
        simulated = frozenset(one.key for one in instruments.all() if one.simulated)
        typer.echo(statistics_body(page.rows, simulated, page.next_cursor, clock.now(), as_string))
        return
    Console().print(roi_table(page.rows))
    if page.next_cursor:
        typer.echo(f"there may be more: --cursor {page.next_cursor}", err=True)


def roi_table(rows: Iterable[RoiStatistic]) -> Table:
    """The rows for a person, by market and window; `-` where there is no figure."""
    table = Table("exchange", "symbol", "window", "as of")
    for name in ("roi", "volatility", "sharpe", "sortino", "max drawdown", "best", "worst", "n", "coverage"):
        table.add_column(name, justify="right")
    for row in sorted(rows, key=lambda one: (one.exchange, one.symbol, _ORDER.get(one.period, 99), one.as_of)):
        figures = [
            _percent(getattr(row, name)) if name in _PERCENT else _ratio(getattr(row, name))
            for name in ("roi", "volatility", "sharpe", "sortino", "max_drawdown", "best", "worst")
        ]
        # Rounded down, so that 100.00 % means all.
        covered = f"{int(row.coverage * 10_000) / 100:.2f} %"
        as_of = f"{row.as_of:%Y-%m-%d %H:%M}"
        table.add_row(row.exchange, row.symbol, row.period, as_of, *figures, str(row.n), covered)
    return table


def _percent(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio * 100:.2f} %"


def _ratio(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"
