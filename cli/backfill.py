"""`marketdata backfill`: fetch history now, with a person watching."""

import time
from collections.abc import Callable, Sequence
from copy import copy
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
import typer
from marketdata import wiring
from marketdata.clock import Clock, SystemClock
from marketdata.compute.coverage import clip
from marketdata.errors import NotFound, RemoteThrottled, RemoteUnavailable, RequestInvalid
from marketdata.jobs.backfill import run_backfill
from marketdata.jobs.fill_result import FillResult
from marketdata.jobs.recorded_run import RecordedRun
from marketdata.model.gap import UNRESOLVED, Gap, GapState
from marketdata.model.instrument import Instrument
from marketdata.model.job_run import Scope
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.times import rfc3339
from marketdata.settings import Settings, settings_from
from marketdata.store.store import Store

from cli.house_store import house_environment
from cli.moments import moment
from cli.progress import Ticker
from cli.resume import resumable

GAPS_REMAIN = 3
"""The exit code of a command that did its work and leaves gaps."""
GAPS_READ = 1_000
ROUND = timedelta(seconds=30)
WAIT_SECONDS_MAX = 60.0
"""A gap that is to be tried again later than this is left to the schedule."""


def backfill(
    exchange: Annotated[str | None, typer.Option(help="Only of this exchange.")] = None,
    symbol: Annotated[
        list[str] | None, typer.Option("--symbol", "-s", help="As the exchange spells it; repeat for more.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", "--since", help="Fetch what is missing since then: a date, or 7d, 12h.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Up to then, excluded; now if not given.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Put a span on the gap ledger, if one is given, and fill gaps until none is left that can be filled now.

    Exit code 3: gaps remain. 4: the exchange cannot be reached. Ctrl-C loses nothing and prints how to go on.
    """
    settings, clock = settings_from(house_environment()), SystemClock()
    store = wiring.store_from(settings)
    chosen = choose(store.instruments(), exchange, symbol or [])
    span = asked_span(start, end, clock.now() - timedelta(seconds=settings.gap_grace_seconds))
    if span is not None:
        for instrument in chosen:
            store.record_gaps(instrument, M1, [span], cause="operator", found_at=clock.now())
    work = Work(store, clock, settings, chosen, span)
    with resumable(), Ticker("backfill") as ticker:
        work.run(ticker, Scope(exchange, symbol[0] if symbol and len(symbol) == 1 else None, M1, span))
    left = work.left()
    report(work.total, left, json=json)
    if left:
        raise typer.Exit(GAPS_REMAIN)


def report(total: FillResult, left: Sequence[Gap], *, json: bool) -> None:
    """What was done, and what is left: for a person, or as one JSON document."""
    if json:
        gaps = [
            {
                "exchange": gap.exchange,
                "symbol": gap.symbol,
                "start": rfc3339(gap.span.start),
                "end": rfc3339(gap.span.end),
                "state": gap.state.value,
                "reason": gap.reason,
            }
            for gap in left
        ]
        typer.echo(msgspec.json.encode({"result": total.document(), "left": gaps}).decode())
        return
    typer.echo(f"{summary(total)}; {len(left)} gaps left", err=True)
    for gap in left[:10]:
        when = f"again after {rfc3339(gap.retry_at)}" if gap.retry_at else gap.state.value
        typer.echo(f"{gap.exchange} {gap.symbol} {rfc3339(gap.span.start)} .. {rfc3339(gap.span.end)}: {when}")
        typer.echo(f"  {gap.reason}")


def choose(known: Sequence[Instrument], exchange: str | None, symbols: Sequence[str]) -> list[Instrument]:
    """The followed instruments that are meant. Raises: NotFound if none is."""
    chosen = [
        one
        for one in known
        if one.active and exchange in {None, one.exchange} and (not symbols or one.symbol in symbols)
    ]
    absent = sorted(set(symbols) - {one.symbol for one in chosen})
    if absent or not chosen:
        raise NotFound("symbol", f"{', '.join(absent) or 'nothing'} is followed; see `marketdata instruments list`")
    return chosen


def asked_span(start: str | None, end: str | None, newest: datetime) -> Span | None:
    """The span in whole minutes, cut at the newest minute that can be final. Raises: RequestInvalid."""
    if start is None:
        if end is not None:
            raise RequestInvalid("--to", "needs --from")
        return None
    first = M1.floor(moment(start, "--from", newest))
    last = min(M1.ceil(moment(end, "--to", newest)) if end else newest, M1.floor(newest))
    if first >= last:
        raise RequestInvalid("--from", f"nothing before {rfc3339(last)} is asked for")
    return Span(first, last)


def summary(result: FillResult) -> str:
    """What was done, for a person."""
    closed = result.filled + result.no_trades
    return f"{closed} gaps closed, {result.candles} candles fetched, {result.minutes_empty} minutes without trades"


class Work:
    """Rounds of the mover, until what was chosen is settled or has to wait."""

    def __init__(
        self, store: Store, clock: Clock, settings: Settings, chosen: Sequence[Instrument], span: Span | None
    ) -> None:
        self.total = FillResult()
        self._began_at = clock.now()
        self._store = store
        self._clock = clock
        self._settings = settings
        self._chosen = chosen
        self._span = span
        self._minutes = 0
        """That were wanted when the work began."""

    def run(self, ticker: Ticker, scope: Scope) -> None:
        """Go on while there is something to do, as a run on the store's list of runs. Raises: as the rounds do."""
        lease = ROUND + timedelta(seconds=WAIT_SECONDS_MAX)
        self._minutes = sum(self._minutes_of(gap) for gap in self._unresolved())
        with RecordedRun(self._store, self._clock, "backfill", lease=lease, trigger="operator", scope=scope) as run:
            self._until_nothing_is_due(ticker, run.renew)
            run.succeed(self.total.document())

    def _until_nothing_is_due(self, ticker: Ticker, alive: Callable[[], None]) -> None:
        """Go on while there is something to do; `alive` is called before each round.

        Raises: RemoteUnavailable when an exchange is away; RemoteThrottled when it wants to be left alone long."""
        while due_at := min((due(gap) for gap in self._unresolved()), default=None):
            wait = (due_at - self._clock.now()).total_seconds()
            if wait > WAIT_SECONDS_MAX:
                return
            if wait > 0:
                self._show(ticker, self.total, f"waiting {wait:.0f} s")
                time.sleep(wait)
            alive()
            self._round(ticker)

    def left(self) -> list[Gap]:
        """What is still not had, and what was given up just now."""
        given_up = [
            one for one in self._gaps([GapState.UNRECOVERABLE]) if (one.repaired_at or one.found_at) >= self._began_at
        ]
        return self._gaps(UNRESOLVED) + given_up

    def _round(self, ticker: Ticker) -> None:
        before = copy(self.total)
        result = run_backfill(
            self._store,
            self._clock,
            self._clock.now() + ROUND,
            open_past=wiring.pasts(self._settings, self._store),
            settings=wiring.fill_settings(self._settings),
            on_gap=lambda running: self._show(ticker, _sum(before, running), "fetching"),
        )
        self.total = _sum(before, result)
        for exchange in result.away:
            raise RemoteUnavailable(exchange, f"cannot be reached; {summary(self.total)}")
        for gap in self._unresolved():
            if gap.exchange in result.throttled and (due(gap) - self._clock.now()).total_seconds() > WAIT_SECONDS_MAX:
                raise RemoteThrottled(gap.exchange, "wants to be left alone", due(gap))

    def _show(self, ticker: Ticker, so_far: FillResult, doing: str) -> None:
        had = min(so_far.candles + so_far.minutes_empty, self._minutes)
        ticker.show(f"{summary(so_far)}; {doing}", done=had, total=self._minutes or None)

    def _minutes_of(self, gap: Gap) -> int:
        spans = (gap.span,) if self._span is None else clip((gap.span,), self._span)
        return sum((span.end - span.start) // M1.duration for span in spans)

    def _unresolved(self) -> list[Gap]:
        return self._gaps(UNRESOLVED)

    def _gaps(self, states: Sequence[GapState]) -> list[Gap]:
        found: list[Gap] = []
        for instrument in self._chosen:
            found += self._store.gaps(states=states, instrument=instrument, limit=GAPS_READ)
        return [gap for gap in found if self._span is None or meet(gap.span, self._span)]


def _sum(one: FillResult, other: FillResult) -> FillResult:
    """What both did."""
    total = copy(one)
    for name in ("filled", "no_trades", "candles", "minutes_empty"):
        setattr(total, name, getattr(one, name) + getattr(other, name))
    return total


def due(gap: Gap) -> datetime:
    """When somebody may take it up."""
    return gap.lease_until or gap.retry_at or gap.found_at


def meet(one: Span, other: Span) -> bool:
    """Whether they share a moment."""
    return one.start < other.end and other.start < one.end
