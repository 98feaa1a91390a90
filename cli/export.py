"""`marketdata export`: candles of a span into a Parquet or CSV file, as the API's exports write them."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from marketdata.clock import SystemClock
from marketdata.errors import RequestInvalid
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.walk_candles import Completeness, completeness_of, walk_months
from marketdata.jobs.write_candles import write_csv, write_parquet
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe, timeframe_named
from marketdata.model.times import rfc3339
from marketdata.store.store import Store

from cli.house_store import house_store
from cli.moments import moment
from cli.progress import Ticker

GAPS_REMAIN = 3
_WRITERS = {".parquet": write_parquet, ".csv": write_csv}


def export(
    symbol: Annotated[str, typer.Argument(help="In any usual spelling.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file; it ends in .parquet or .csv.")],
    since: Annotated[str, typer.Option("--since", "--from", help="From then: a date, RFC 3339, or 7d, 12h.")],
    to: Annotated[str | None, typer.Option("--to", help="Up to then, which is excluded; now if not given.")] = None,
    exchange: Annotated[str | None, typer.Option(help="Needed where a symbol names several instruments.")] = None,
    timeframe: Annotated[str, typer.Option(help="1m 5m 15m 1h 4h 12h 1d 1w")] = "1m",
    json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Export candles, month by month. The file appears when it is whole.

    Exit code 3: done, and candles are missing inside; the gaps are told, and are in the file's metadata (Parquet).
    """
    if out.suffix not in _WRITERS:
        raise RequestInvalid("--out", "must end in .parquet or .csv")
    store, clock = house_store(), SystemClock()
    now, frame = clock.now(), timeframe_named(timeframe)
    span = _span(since, to, now)
    instrument = KnownInstruments(store, clock).find(symbol, exchange)
    rows, numbers, found = _write(store, instrument, frame, span, out, now)
    if json:
        typer.echo(msgspec.json.encode(_facts(out, rows, numbers, found)).decode())
    else:
        typer.echo(_sentence(out, rows, found), err=True)
    if found.gaps_total:
        raise typer.Exit(GAPS_REMAIN)


def _span(since: str, to: str | None, now: datetime) -> Span:
    start, end = moment(since, "--since", now), min(moment(to, "--to", now) if to else now, now)
    if start >= end:
        raise RequestInvalid("--to", "must be after --since, which must be in the past")
    return Span(start, end)


def _write(
    store: Store, instrument: Instrument, timeframe: Timeframe, span: Span, out: Path, now: datetime
) -> tuple[int, str, Completeness]:
    expected = max(1, (span.end - span.start) // timeframe.duration)
    draft, read = out.with_name(f".{out.name}.draft"), [0]
    with Ticker(f"exporting {instrument.symbol}") as ticker:

        def tell(count: int) -> None:
            read[0] += count
            ticker.show(f"{read[0]:,} candles", done=min(read[0], expected), total=expected)

        try:
            written = _WRITERS[out.suffix](
                draft,
                lambda: walk_months(store, instrument, timeframe, span, read=tell),
                lambda: completeness_of(store, instrument, timeframe, span, now),
            )
            draft.replace(out)
        except OSError as error:
            raise RequestInvalid("--out", f"{out} cannot be written: {error.strerror}") from error
        finally:
            draft.unlink(missing_ok=True)
    return written


def _sentence(out: Path, rows: int, found: Completeness) -> str:
    share = "" if found.coverage is None else f", coverage {found.coverage:.6f}"
    gaps = [f"  missing {rfc3339(one.span.start)} to {rfc3339(one.span.end)} ({one.state})" for one in found.gaps[:10]]
    more = [f"  and {found.gaps_total - 10} more gaps"] if found.gaps_total > 10 else []
    return "\n".join([f"{rows:,} candles in {out}: {found.condition}{share}", *gaps, *more])


def _facts(out: Path, rows: int, numbers: str, found: Completeness) -> dict[str, Any]:
    gaps = [
        {"start": rfc3339(one.span.start), "end": rfc3339(one.span.end), "state": one.state, "reason": one.reason}
        for one in found.gaps
    ]
    return {
        "file": str(out),
        "rows": rows,
        "bytes": out.stat().st_size,
        "numbers": numbers,
        "condition": found.condition,
        "coverage": found.coverage,
        "gaps": gaps,
        "gaps_total": found.gaps_total,
    }
