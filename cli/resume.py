"""What a command says when it is interrupted: nothing is lost, and how to go on."""

import contextlib
import shlex
import sys
from collections.abc import Iterator, Sequence

import typer

INTERRUPTED = 130


@contextlib.contextmanager
def resumable(arguments: Sequence[str] | None = None) -> Iterator[None]:
    """Turn Ctrl-C into exit code 130 and the command that goes on; `arguments` are the process's own if not given."""
    try:
        yield
    except KeyboardInterrupt:
        command = shlex.join(["marketdata", *_shown(sys.argv[1:] if arguments is None else arguments)])
        typer.echo(f"interrupted; what was fetched is kept. Go on with: {command}", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _shown(arguments: Sequence[str]) -> Iterator[str]:
    """Without the address of the database: its password is in it."""
    hidden = False
    for argument in arguments:
        if hidden:
            yield "..."
        elif argument.startswith("--database-url="):
            yield "--database-url=..."
        else:
            yield argument
        hidden = argument == "--database-url"
