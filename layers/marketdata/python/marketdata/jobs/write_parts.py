"""Write a file of candles in parts that are kept until it is whole: whoever takes it up goes on after the last one.

Called by exports and by `marketdata export`. A part is put under a name that follows from the file's, so that writing
it twice is one part; how many there are is noted by the caller, who alone knows whether the work is still theirs.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from marketdata.errors import StoreError
from marketdata.jobs.write_candles import TEXT, FileKind, NumbersDoNotFit
from marketdata.model.candle import Candle
from marketdata.model.export import ExportProgress
from marketdata.model.span import Span
from marketdata.store.file_shelf import FileShelf

BEGUN_AGAIN_MAX = 1
"""Parts that are gone from their shelf are written again; if those go too, there is no use in it."""


@dataclass(frozen=True, slots=True)
class PartedFile:
    """The file `name` of a kind, in `parts`; `months` reads the candles of one, a month at a time.

    Parts are put on `shelf`; those that are written or fetched lie in `folder` until the file is joined of them.
    """

    name: str
    kind: FileKind
    parts: Sequence[Span]
    months: Callable[[Span], Iterator[list[Candle]]]
    shelf: FileShelf
    folder: Path

    def part_name(self, numbers: str, number: int) -> str:
        """The name of a part."""
        return part_name(self.name, numbers, number)


def part_name(name: str, numbers: str, number: int) -> str:
    """The name of a part of the file `name`; parts whose numbers are text are not those with decimals."""
    return f"{name}.{'text' if numbers == TEXT else 'exact'}.{number:04}.part"


def write_parts(
    file: PartedFile, progress: ExportProgress, note: Callable[[ExportProgress], ExportProgress]
) -> ExportProgress:
    """Write the parts that are not there yet; `note` hears of each, and says what was noted. Raises: StoreError."""
    while len(progress.rows) < len(file.parts):
        number = len(progress.rows)
        path = file.folder / file.part_name(progress.numbers, number)
        try:
            rows = file.kind.write_part(path, file.months(file.parts[number]), progress.numbers)
        except NumbersDoNotFit:
            progress = replace(progress, numbers=TEXT, rows=())
            continue
        file.shelf.put(path.name, path)
        progress = note(replace(progress, rows=(*progress.rows, rows)))
    return progress


def fetch_parts(file: PartedFile, progress: ExportProgress) -> list[Path] | None:
    """Where the parts lie, those fetched that an earlier worker wrote; None if one is gone. Raises: StoreError."""
    paths = [file.folder / file.part_name(progress.numbers, number) for number in range(len(file.parts))]
    missing = (path for path in paths if not path.exists())
    return paths if all(file.shelf.get(path.name, path) for path in missing) else None


def complete_parts(
    file: PartedFile, progress: ExportProgress, note: Callable[[ExportProgress], ExportProgress]
) -> tuple[ExportProgress, list[Path]]:
    """Every part, written or fetched; if one is gone, all are written again, once. Raises: StoreError."""
    while True:
        progress = write_parts(file, progress, note)
        paths = fetch_parts(file, progress)
        if paths is not None:
            return progress, paths
        if progress.begun_again >= BEGUN_AGAIN_MAX:
            raise StoreError("get_file", "parts that were written are gone, again")
        progress = note(replace(progress, rows=(), begun_again=progress.begun_again + 1))


def remove_parts(shelf: FileShelf, name: str, progress: ExportProgress) -> None:
    """Let go of the parts, and of one that was put and not noted. Raises: StoreError."""
    for number in range(len(progress.rows) + 1):
        shelf.remove(part_name(name, progress.numbers, number))
