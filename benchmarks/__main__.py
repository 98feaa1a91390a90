"""`python -m benchmarks [NAME]...`: runs benchmarks one after the other, tables on stdout, progress on stderr."""

import importlib
import os
import platform
import sys
from typing import Annotated

import typer
from rich.console import Console

NAMES = ("hot_path", "store", "answers", "api", "gap_scan", "imports", "roi", "cold_start")

TABLE_WIDTH = 140

_progress = Console(stderr=True, highlight=False)


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Which to run: {', '.join(NAMES)}. Default: all.")] = None,
    save: Annotated[bool, typer.Option(help="Also write benchmarks/results/<name>.json.")] = False,
) -> None:
    """Measure what docs/performance.md claims; about eight minutes for all."""
    unknown = sorted(set(names or ()) - set(NAMES))
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: there are {', '.join(NAMES)}")
    for name in names or NAMES:
        _progress.print(f"{name} …", style="bold")
        # One at a time: what a benchmark imports must not weigh on the one before it.
        result = importlib.import_module(f"benchmarks.{name}").run(_announce)
        # Tables into a file or a pipe keep their width.
        result.show(Console(width=None if sys.stdout.isatty() else TABLE_WIDTH))
        if save:
            _progress.print(f"written to {result.save(_machine())}")


def _announce(sentence: str) -> None:
    _progress.print(f"  {sentence}", style="dim")


def _machine() -> str:
    return f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"


if __name__ == "__main__":
    typer.run(main)
