"""What a benchmark found: tables for people, and the same as JSON for a file."""

from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import rich.table
from rich.console import Console

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under named columns; the first column names the row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Result:
    """The tables and remarks of the benchmark `name`."""

    name: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...]

    def show(self, console: Console) -> None:
        """Print everything."""
        for table in self.tables:
            shown = rich.table.Table(title=table.title, title_justify="left", title_style="bold")
            for number, column in enumerate(table.columns):
                shown.add_column(column, justify="right" if number else "left")
            for row in table.rows:
                shown.add_row(*row)
            console.print(shown)
        for note in self.notes:
            console.print(f"- {note}", markup=False, highlight=False)
        console.print()

    def save(self, machine: str) -> Path:
        """Write `results/<name>.json`, with a line on the machine."""
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.name}.json"
        path.write_bytes(msgspec.json.format(msgspec.json.encode({"machine": machine, **asdict(self)})) + b"\n")
        return path
