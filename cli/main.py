"""`marketdata`: the command line. Data goes to standard output, progress and errors to standard error.

Exit codes: 0 done, 1 failed, 2 the request was wrong, 3 done and gaps remain, 4 an exchange could not be reached,
5 settings, 6 the store, 130 interrupted.
"""

import sys
from collections.abc import Sequence
from importlib import import_module

import typer
from marketdata import observe
from marketdata.errors import MarketDataError, RemoteError, RequestInvalid, SettingsInvalid, StoreError, Unauthorized
from rich.console import Console

# Only what was asked for is imported: together they bring a web server, a database driver and every exchange along.
COMMANDS = {
    "up": "cli.up:up",
    "record": "cli.record:record_feed",
    "replay": "cli.replay:replay_files",
    "feed-ticks": "cli.feed_ticks:feed_ticks",
    "backfill": "cli.backfill:backfill",
    "coverage": "cli.coverage:coverage",
    "roi": "cli.roi:roi",
    "export": "cli.export:export",
    "verify": "cli.verify:verify",
    "doctor": "cli.doctor:doctor",
}
GROUPS = {
    "import": "cli.import_history",
    "gaps": "cli.gaps",
    "instruments": "cli.instruments",
    "jobs": "cli.jobs",
    "alerts": "cli.alerts",
    "keys": "cli.keys",
    "db": "cli.database",
}
HELP = "Unbroken, proven candles: streamed, stored, served. Start with [bold]marketdata up[/bold]."


def application(arguments: Sequence[str]) -> typer.Typer:
    """The command that `arguments` name; all of them where they name none."""
    asked = arguments[0] if arguments else ""
    app = typer.Typer(
        name="marketdata",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    # With a callback, an application of one command is still called by that command's name.
    app.callback(help=HELP)(lambda: None)
    for name, place in COMMANDS.items():
        if asked == name or asked not in COMMANDS | GROUPS:
            module, _, function = place.partition(":")
            app.command(name)(getattr(import_module(module), function))
    for name, module in GROUPS.items():
        if asked == name or asked not in COMMANDS | GROUPS:
            app.add_typer(import_module(module).app, name=name)
    return app


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
        application(sys.argv[1:])()
    except MarketDataError as error:
        Console(stderr=True, highlight=False).print(f"[red]error:[/red] {error}", markup=True, soft_wrap=True)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.exit(130)


def exit_code(error: MarketDataError) -> int:
    """What a script learns from an error."""
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), 1)
