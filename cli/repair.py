"""`marketdata gaps repair`: scan for what is missing and fetch it now, with a person watching."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
import typer
from marketdata import wiring
from marketdata.clock import Clock, SystemClock
from marketdata.compute.coverage import clip, subtract, union
from marketdata.errors import StoreError
from marketdata.jobs.scan_gaps import scan_gaps
from marketdata.model.gap import UNRESOLVED
from marketdata.model.instrument import Instrument
from marketdata.model.job_run import Scope
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.times import rfc3339
from marketdata.settings import Settings, settings_from
from marketdata.store.store import Store
from rich.console import Console
from rich.table import Table

from cli.backfill import GAPS_READ, GAPS_REMAIN, Work, asked_span, choose, report
from cli.house_store import house_environment
from cli.progress import Ticker
from cli.resume import resumable

SCAN_TIME_MAX = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Planned:
    """One span that a repair would ask for, and how."""

    instrument: Instrument
    span: Span
    how: str

    def document(self) -> dict[str, object]:
        """As JSON shows it."""
        minutes = (self.span.end - self.span.start) // M1.duration
        return {
            "exchange": self.instrument.exchange,
            "symbol": self.instrument.symbol,
            "start": rfc3339(self.span.start),
            "end": rfc3339(self.span.end),
            "minutes": minutes,
            "how": self.how,
        }


def repair(
    exchange: Annotated[str | None, typer.Option(help="Only of this exchange.")] = None,
    symbol: Annotated[
        list[str] | None, typer.Option("--symbol", "-s", help="As the exchange spells it; repeat for more.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", "--since", help="What is missing since then: a date, RFC 3339, or 7d, 12h.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Up to then, excluded; now if not given.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be asked for and how; write nothing.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Scan for what is missing and fetch it now. Without a span, whatever the ledger wants.

    Exit code 3: gaps remain. 4: the exchange cannot be reached. Ctrl-C loses nothing and prints how to go on.
    """
    settings, clock = settings_from(house_environment()), SystemClock()
    store = wiring.store_from(settings)
    chosen = choose(store.instruments(), exchange, symbol or [])
    span = asked_span(start, end, clock.now() - timedelta(seconds=settings.gap_grace_seconds))
    if dry_run:
        show_plan(plan(store, clock, settings, chosen, span), json=json)
        return
    with resumable(), Ticker("repair") as ticker:
        ticker.show("scanning")
        _scan(store, clock, settings)
        for instrument in chosen if span is not None else ():
            assert span is not None
            store.record_gaps(instrument, M1, _missing(store, instrument, span), cause="operator", found_at=clock.now())
        work = Work(store, clock, settings, chosen, span)
        work.run(ticker, Scope(exchange, symbol[0] if symbol and len(symbol) == 1 else None, M1, span))
    left = work.left()
    report(work.total, left, json=json)
    if left:
        raise typer.Exit(GAPS_REMAIN)


def plan(
    store: Store, clock: Clock, settings: Settings, chosen: Sequence[Instrument], span: Span | None
) -> list[Planned]:
    """What a repair would ask for, newest first; reads only, as of the last drain."""
    now = clock.now()
    history, grace = timedelta(days=settings.gap_history_days), timedelta(seconds=settings.gap_grace_seconds)
    planned = []
    for instrument in chosen:
        wanted = [gap.span for gap in store.gaps(states=UNRESOLVED, instrument=instrument, limit=GAPS_READ)]
        wanted += [one for _, one in store.find_gaps(now=now, history=history, grace=grace, instrument=instrument)]
        spans = union(wanted)
        if span is not None:
            spans = union(clip(spans, span), _missing(store, instrument, span))
        planned += [Planned(instrument, one, _how(store, settings, instrument, one)) for one in spans]
    return sorted(planned, key=lambda one: one.span.end, reverse=True)


def show_plan(planned: Sequence[Planned], *, json: bool) -> None:
    """The plan on standard output."""
    if json:
        typer.echo(msgspec.json.encode({"planned": [one.document() for one in planned]}).decode())
        return
    table = Table("exchange", "symbol", "start", "end", title="would be asked for", title_justify="left")
    table.add_column("minutes", justify="right")
    table.add_column("how")
    for one in planned:
        table.add_row(*(str(value) for value in one.document().values()))
    Console().print(table)


def _missing(store: Store, instrument: Instrument, span: Span) -> tuple[Span, ...]:
    """The minutes of a span that are neither held nor known to be empty."""
    known = store.coverage(instrument, M1, span)
    return subtract([span], (*known.covered, *known.empty))


def _how(store: Store, settings: Settings, instrument: Instrument, span: Span) -> str:
    opened = wiring.pasts(settings, store)(instrument.exchange)
    if opened is None:
        return "cannot be asked: not followed, or without an address"
    with opened as past:
        if past.trades is not None and span.end - span.start <= wiring.fill_settings(settings).trade_span_max:
            return "trades, which prove it; the exchange's candles for what they leave"
        if past.candles is None:
            return "cannot be asked: the exchange has no candles"
        requests = -(-((span.end - span.start) // M1.duration) // past.candles.candles_a_request)
        return f"the exchange's candles, {requests} requests and more"


def _scan(store: Store, clock: Clock, settings: Settings) -> None:
    """Raises: StoreError if the queue of changes could not be drained in time."""
    result = scan_gaps(
        store,
        clock,
        _deadline(clock),
        history=timedelta(days=settings.gap_history_days),
        grace=timedelta(seconds=settings.gap_grace_seconds),
    )
    if not result.drained:
        raise StoreError("roll_up", "the queue of changes was not drained in time, so nothing could be looked for")


def _deadline(clock: Clock) -> datetime:
    return clock.now() + SCAN_TIME_MAX
