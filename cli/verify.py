"""`marketdata verify`: whether every minute is explained, ids join, and rollups are folds."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated

import msgspec
import typer
from marketdata import wiring
from marketdata.clock import SystemClock
from marketdata.errors import StoreError
from marketdata.jobs.verify_candles import Verdict, verify_candles
from marketdata.model.instrument import Instrument
from marketdata.model.times import rfc3339
from marketdata.settings import settings_from
from marketdata.store.store import Store
from rich.console import Console
from rich.table import Table

from cli.backfill import GAPS_REMAIN, asked_span, choose
from cli.house_store import house_environment
from cli.progress import Ticker
from cli.resume import resumable

COLUMNS = ("proven", "venue", "live", "manual", "partial", "no_trades", "market_closed", "unrecoverable", "missing")
DRAINS_MAX = 1_000


def verify(
    exchange: Annotated[str | None, typer.Option(help="Only of this exchange.")] = None,
    symbol: Annotated[
        list[str] | None, typer.Option("--symbol", "-s", help="As the exchange spells it; repeat for more.")
    ] = None,
    start: Annotated[str, typer.Option("--from", "--since", help="Since then: a date, RFC 3339, or 7d, 12h.")] = "1d",
    end: Annotated[str | None, typer.Option("--to", help="Up to then, excluded; now if not given.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say of every minute what it is, and check that ids join, rollups are folds and coverage is what is held.

    Exit code 3: something is missing, held in part or lost, or contradicts itself.
    """
    settings, clock = settings_from(house_environment()), SystemClock()
    store = wiring.store_from(settings)
    chosen = choose(store.instruments(), exchange, symbol or [])
    span = asked_span(start, end, clock.now() - timedelta(seconds=settings.gap_grace_seconds))
    assert span is not None
    with resumable(), Ticker("verify") as ticker:
        _drain(store)
        told = _Told(ticker, len(chosen) * -(-(span.end - span.start) // timedelta(days=1)))
        verdicts = [verify_candles(store, one, span, partial(told.tell, one)) for one in chosen]
    show(verdicts, json=json)
    if not all(verdict.sound for verdict in verdicts):
        raise typer.Exit(GAPS_REMAIN)


def show(verdicts: Sequence[Verdict], *, json: bool) -> None:
    """The verdicts on standard output."""
    if json:
        typer.echo(msgspec.json.encode({"verified": [document(one) for one in verdicts]}).decode())
        return
    table = Table("exchange", "symbol")
    for name in (*COLUMNS, "ids join", "folds", "differences"):
        table.add_column(name.replace("_", " "), justify="right")
    for one in verdicts:
        figures = [*(one.minutes[name] for name in COLUMNS), one.joined, one.folded, one.differences]
        style = None if one.sound else "red"
        table.add_row(one.instrument.exchange, one.instrument.symbol, *map(str, figures), style=style)
    Console().print(table)
    for one in verdicts:
        for described in one.described:
            typer.echo(f"{one.instrument.exchange} {one.instrument.symbol}: {described}")


def document(verdict: Verdict) -> dict[str, object]:
    """One verdict as JSON shows it."""
    return {
        "exchange": verdict.instrument.exchange,
        "symbol": verdict.instrument.symbol,
        "start": rfc3339(verdict.span.start),
        "end": rfc3339(verdict.span.end),
        "sound": verdict.sound,
        "minutes": {name: verdict.minutes[name] for name in COLUMNS},
        "ids_join": verdict.joined,
        "folds": verdict.folded,
        "differences": verdict.differences,
        "described": verdict.described,
    }


class _Told:
    """How many of the instruments' days were begun."""

    def __init__(self, ticker: Ticker, days: int) -> None:
        self._ticker = ticker
        self._days = days
        self._begun = 0

    def tell(self, instrument: Instrument, day: datetime) -> None:
        """A day of an instrument begins."""
        self._ticker.show(f"{instrument.symbol} {day:%Y-%m-%d}", done=self._begun, total=self._days)
        self._begun += 1


def _drain(store: Store) -> None:
    """So that nothing seems to differ that is only waiting. Raises: StoreError."""
    for _ in range(DRAINS_MAX):
        if not store.roll_up():
            return
    raise StoreError("roll_up", "the queue of changes does not end")
