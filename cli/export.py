"""`marketdata export`: candles of a span into a Parquet or CSV file, as the API's exports write them."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from marketdata.clock import SystemClock
from marketdata.compute.export_parts import export_parts
from marketdata.errors import RequestInvalid
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.walk_candles import Completeness, completeness_of, walk_months
from marketdata.jobs.write_candles import CSV, PARQUET, FileKind
from marketdata.jobs.write_parts import PartedFile, complete_parts
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe, timeframe_named
from marketdata.model.times import rfc3339
from marketdata.store.store import Store

from cli.house_store import house_store
from cli.kept_parts import KeptParts
from cli.moments import moment
from cli.progress import Ticker
from cli.resume import resumable

GAPS_REMAIN = 3
_KINDS: dict[str, FileKind] = {".parquet": PARQUET, ".csv": CSV}


@dataclass(frozen=True, slots=True)
class Written:
    """A file: its rows, how its numbers are written, and what is missing in it."""

    rows: int
    numbers: str
    found: Completeness


def export(
    symbol: Annotated[str, typer.Argument(help="In any usual spelling.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file; it ends in .parquet or .csv.")],
    since: Annotated[str, typer.Option("--since", "--from", help="From then: a date, RFC 3339, or 7d, 12h.")],
    to: Annotated[str | None, typer.Option("--to", help="Up to then, which is excluded; now if not given.")] = None,
    exchange: Annotated[str | None, typer.Option(help="Needed where a symbol names several instruments.")] = None,
    timeframe: Annotated[str, typer.Option(help="1m 5m 15m 1h 4h 12h 1d 1w")] = "1m",
    json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Export candles, month by month. The file appears when it is whole; interrupted, it goes on where it was.

    Exit code 3: done, and candles are missing inside; the gaps are told, and are in the file's metadata (Parquet).
    """
    if out.suffix not in _KINDS:
        raise RequestInvalid("--out", "must end in .parquet or .csv")
    store, clock = house_store(), SystemClock()
    now, frame = clock.now(), timeframe_named(timeframe)
    span = _span(since, to, now)
    instrument = KnownInstruments(store, clock).find(symbol, exchange)
    written = _write(store, instrument, frame, span, out, now)
    if json:
        typer.echo(msgspec.json.encode(_facts(out, written)).decode())
    else:
        typer.echo(_sentence(out, written.rows, written.found), err=True)
    if written.found.gaps_total:
        raise typer.Exit(GAPS_REMAIN)


def _span(since: str, to: str | None, now: datetime) -> Span:
    start, end = moment(since, "--since", now), min(moment(to, "--to", now) if to else now, now)
    if start >= end:
        raise RequestInvalid("--to", "must be after --since, which must be in the past")
    return Span(start, end)


def _write(store: Store, instrument: Instrument, timeframe: Timeframe, span: Span, out: Path, now: datetime) -> Written:
    kind, kept = _KINDS[out.suffix], KeptParts(out, instrument, timeframe, span, now)
    progress = kept.begin(kind.numbers)
    with Ticker(f"exporting {instrument.symbol}") as ticker, tempfile.TemporaryDirectory(dir=kept.folder) as folder:
        teller = _Teller(ticker, sum(progress.rows), max(1, (span.end - span.start) // timeframe.duration))
        file = PartedFile(
            name="candles",
            kind=kind,
            parts=export_parts(span, timeframe),
            months=lambda part: walk_months(store, instrument, timeframe, part, read=teller.read),
            shelf=kept.shelf,
            folder=Path(folder),
        )
        with resumable(_again(out, instrument, timeframe, span)):
            progress, parts = complete_parts(file, progress, kept.note)
            found = completeness_of(store, instrument, timeframe, span, now)
            _join(out, parts, progress.numbers, found)
    kept.remove()
    return Written(sum(progress.rows), progress.numbers, found)


def _join(out: Path, parts: Sequence[Path], numbers: str, found: Completeness) -> None:
    """The file appears when it is whole. Raises: RequestInvalid where it cannot be written."""
    draft = out.with_name(f".{out.name}.draft")
    try:
        _KINDS[out.suffix].join(draft, parts, numbers, found)
        draft.replace(out)
    except OSError as error:
        raise RequestInvalid("--out", f"{out} cannot be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


def _again(out: Path, instrument: Instrument, timeframe: Timeframe, span: Span) -> list[str]:
    """The command that goes on: the same span, whatever the time is by then."""
    of = ["--exchange", instrument.exchange, "--timeframe", timeframe.name]
    return [
        "export",
        instrument.symbol,
        *of,
        "--from",
        rfc3339(span.start),
        "--to",
        rfc3339(span.end),
        "--out",
        str(out),
    ]


class _Teller:
    """Says how many candles there are of how many there may be."""

    def __init__(self, ticker: Ticker, known: int, expected: int) -> None:
        self._ticker, self._known, self._expected = ticker, known, expected

    def read(self, count: int) -> None:
        """So many more."""
        self._known += count
        self._ticker.show(f"{self._known:,} candles", done=min(self._known, self._expected), total=self._expected)


def _sentence(out: Path, rows: int, found: Completeness) -> str:
    share = "" if found.coverage is None else f", coverage {found.coverage:.6f}"
    gaps = [f"  missing {rfc3339(one.span.start)} to {rfc3339(one.span.end)} ({one.state})" for one in found.gaps[:10]]
    more = [f"  and {found.gaps_total - 10} more gaps"] if found.gaps_total > 10 else []
    return "\n".join([f"{rows:,} candles in {out}: {found.condition}{share}", *gaps, *more])


def _facts(out: Path, written: Written) -> dict[str, Any]:
    found = written.found
    gaps = [
        {"start": rfc3339(one.span.start), "end": rfc3339(one.span.end), "state": one.state, "reason": one.reason}
        for one in found.gaps
    ]
    return {
        "file": str(out),
        "rows": written.rows,
        "bytes": out.stat().st_size,
        "numbers": written.numbers,
        "condition": found.condition,
        "coverage": found.coverage,
        "gaps": gaps,
        "gaps_total": found.gaps_total,
    }
