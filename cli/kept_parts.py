"""The parts of a file that `marketdata export` has written, kept beside it until it is whole."""

import shutil
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from marketdata.compute.export_parts import export_parts
from marketdata.errors import RequestInvalid
from marketdata.model.export import ExportProgress
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe
from marketdata.store.file_shelf import FolderShelf

AGE_MAX = timedelta(days=1)
"""Candles are repaired: what was read longer ago is read again."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What was being written when `progress` was noted, and since when."""

    exchange: str
    symbol: str
    timeframe: str
    start: datetime
    end: datetime
    begun_at: datetime
    progress: ExportProgress


class KeptParts:
    """The folder of the parts of `out`: where they are put, and what is known of them.

    They are of use to who asks for the same from the same start on, whatever its end: whole months stay the same.
    """

    def __init__(self, out: Path, instrument: Instrument, timeframe: Timeframe, span: Span, now: datetime) -> None:
        self.folder = out.with_name(f".{out.name}.parts")
        self.shelf = FolderShelf(self.folder)
        self._note = self.folder / "progress.json"
        self._wanted = Kept(
            instrument.exchange, instrument.symbol, timeframe.name, span.start, span.end, now, ExportProgress("")
        )
        self._timeframe = timeframe
        self._begun_at = now

    def begin(self, numbers: str) -> ExportProgress:
        """What can be kept of what is there; the rest is removed. Raises: RequestInvalid where nothing can be."""
        kept = self._read()
        usable = kept is not None and self._is_wanted(kept)
        try:
            if not usable and self.folder.exists():
                shutil.rmtree(self.folder)
            self.folder.mkdir(exist_ok=True)
            for left in self.folder.glob("*/"):
                shutil.rmtree(left)  # what somebody worked in who was killed
        except OSError as error:
            raise RequestInvalid("--out", f"{self.folder} cannot be made: {error.strerror}") from error
        if kept is None or not usable:
            return ExportProgress(numbers)
        self._begun_at = kept.begun_at
        wanted = export_parts(Span(self._wanted.start, self._wanted.end), self._timeframe)
        written = export_parts(Span(kept.start, kept.end), self._timeframe)[: len(kept.progress.rows)]
        same = sum(one == other for one, other in zip(wanted, written, strict=False))
        return ExportProgress(kept.progress.numbers, kept.progress.rows[:same])

    def note(self, progress: ExportProgress) -> ExportProgress:
        """Write how far it has come."""
        draft = self._note.with_suffix(".draft")
        noted = {**asdict(self._wanted), "begun_at": self._begun_at, "progress": progress}
        draft.write_bytes(msgspec.json.encode(noted))
        draft.replace(self._note)
        return progress

    def remove(self) -> None:
        """The file is whole."""
        shutil.rmtree(self.folder)

    def _read(self) -> Kept | None:
        try:
            return msgspec.json.decode(self._note.read_bytes(), type=Kept)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _is_wanted(self, kept: Kept) -> bool:
        asked = self._wanted
        return asked.begun_at - kept.begun_at <= AGE_MAX and (
            (kept.exchange, kept.symbol, kept.timeframe, kept.start)
            == (asked.exchange, asked.symbol, asked.timeframe, asked.start)
        )
