"""`marketdata`: the command line. Data goes to standard output, progress and errors to standard error.

Exit codes: 0 done, 1 failed, 2 the request was wrong, 3 done and gaps remain, 4 an exchange could not be reached,
5 settings, 6 the store, 130 interrupted.
"""

import sys

import typer
from marketdata import observe
from marketdata.errors import MarketDataError, RemoteError, RequestInvalid, SettingsInvalid, StoreError, Unauthorized
from rich.console import Console

from cli import (
    alerts,
    backfill,
    coverage,
    database,
    doctor,
    export,
    feed_ticks,
    gaps,
    import_history,
    instruments,
    jobs,
    keys,
    record,
    replay,
    roi,
    up,
    verify,
)

app = typer.Typer(
    name="marketdata",
    help="Unbroken, proven candles: streamed, stored, served. Start with [bold]marketdata up[/bold].",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("up")(up.up)
app.command("record")(record.record_feed)
app.command("replay")(replay.replay_files)
app.command("feed-ticks")(feed_ticks.feed_ticks)
app.command("backfill")(backfill.backfill)
app.command("coverage")(coverage.coverage)
app.command("roi")(roi.roi)
app.command("export")(export.export)
app.command("verify")(verify.verify)
app.command("doctor")(doctor.doctor)
app.add_typer(import_history.app, name="import")
app.add_typer(gaps.app, name="gaps")
app.add_typer(instruments.app, name="instruments")
app.add_typer(jobs.app, name="jobs")
app.add_typer(alerts.app, name="alerts")
app.add_typer(keys.app, name="keys")
app.add_typer(database.app, name="db")

_EXIT_CODES: tuple[tuple[type[MarketDataError], int], ...] = (
    (SettingsInvalid, 5),
    (Unauthorized, 5),
    (RequestInvalid, 2),
    (RemoteError, 4),
    (StoreError, 6),
)


def main() -> None:
    """The console script: every error that this project can explain is one line and an exit code."""
    # Data alone goes to standard output; what the rooms below report is for people.
    observe.configure(level="WARNING", for_people=True)
    try:
        app()
    except MarketDataError as error:
        Console(stderr=True, highlight=False).print(f"[red]error:[/red] {error}", markup=True, soft_wrap=True)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.exit(130)


def exit_code(error: MarketDataError) -> int:
    """What a script learns from an error."""
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), 1)
