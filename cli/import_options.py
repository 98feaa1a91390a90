"""What the import commands share: options, the span that is asked for, and what is said before and after."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from marketdata.errors import RequestInvalid
from marketdata.model.span import Span
from marketdata.model.times import rfc3339
from marketdata.serve.request_times import boundary

from cli.backfill import GAPS_REMAIN
from local.imports.imported import Imported
from local.imports.plan import Plan

FOLDER = Path("data/imports")
SHOWN_MAX = 20

From = Annotated[str, typer.Option("--from", help="The first hour (or day), e.g. 2024-01-01.")]
To = Annotated[str, typer.Option("--to", help="The end, excluded, e.g. 2025-01-01.")]
Chunk = Annotated[str, typer.Option(help="How much is fetched and reported at once, in days: 7d.")]
Folder = Annotated[Path, typer.Option(help="Where fetched files and their manifest are kept.")]
ArchiveUrl = Annotated[str | None, typer.Option("--url", help="Another address of the archive.")]
Again = Annotated[bool, typer.Option("--again", help="Ask anew for files that were fetched before.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


def _explain_indexes(asked: bool) -> bool:
    if asked:
        typer.echo(
            "--manage-indexes: nothing to do. Months that are new are loaded into a table of their own, get their key"
            " once and are attached whole; dropping and rebuilding the indexes of all history would take about 16 times"
            " as long, and leave readers without them meanwhile.",
            err=True,
        )
    return asked


ManageIndexes = Annotated[
    bool,
    typer.Option(
        "--manage-indexes",
        help="Accepted for those who know it elsewhere; not needed here, and says why.",
        callback=_explain_indexes,
    ),
]


def asked_span(start: str, end: str, newest: datetime, step: timedelta) -> Span:
    """Whole steps (hours or days of UTC) from one to another, up to `newest`. Raises: RequestInvalid."""
    first, last = boundary(start, "--from"), boundary(end, "--to")
    first = _floor(first, step)
    last = min(_floor(last, step) if _floor(last, step) == last else _floor(last, step) + step, _floor(newest, step))
    if first >= last:
        raise RequestInvalid("--from", f"there is nothing before {rfc3339(last)}, where this would end")
    return Span(first, last)


def days(text: str) -> timedelta:
    """`7d` as seven days. Raises: RequestInvalid."""
    number = text.removesuffix("d")
    if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= 366:
        raise RequestInvalid("--chunk", f"{text!r} is not a number of days between 1d and 366d")
    return timedelta(days=int(number))


def describe(plan: Plan[Any]) -> str:
    """What will be done, for a person."""
    months = len({chunk.start.strftime("%Y-%m") for chunk in plan.chunks()})
    closed = sum(((span.end - span.start) for span in plan.closed), timedelta())
    prices = f" ({', '.join(side.value for side in plan.sides)})" if plan.sides else ""
    return (
        f"{plan.symbol}{prices} from {rfc3339(plan.span.start)} to {rfc3339(plan.span.end)}, the end excluded:"
        f" {len(plan.files):,} files in {len(list(plan.chunks()))} chunks, {months} months"
        + (f"; the market was closed for {closed / timedelta(hours=1):,.0f} hours" if plan.closed else "")
    )


def report(done: Imported) -> None:
    """Say what was done. Raises: Exit with code 3 if history is missing."""
    absences = ", ".join(f"{count} {why}" for why, count in sorted(done.absences.items())) or "none"
    typer.echo(
        f"{done.ticks:,} ticks and {done.candles:,} candles of {done.files:,} files in {done.months} months"
        f" ({done.months_attached} new, attached whole); files with nothing: {absences}",
        err=True,
    )
    for sentence in done.differing[:SHOWN_MAX]:
        typer.echo(f"differs: {sentence}", err=True)
    for span in done.missing[:SHOWN_MAX]:
        typer.echo(f"missing: {rfc3339(span.start)} .. {rfc3339(span.end)}")
    if done.missing:
        typer.echo(f"{len(done.missing)} stretches are missing and on the gap ledger; run the import again", err=True)
        raise typer.Exit(GAPS_REMAIN)


def _floor(time: datetime, step: timedelta) -> datetime:
    midnight = time.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (time - midnight) // step * step
