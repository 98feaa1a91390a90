"""The folder of fetched files and its manifest: what makes an import go on where it was killed.

A file is written beside its place and renamed, then its line is added to `manifest.jsonl`; what a crash left half is
fetched again. Every file is checked against its checksum whenever it is read. The folders are those of the exchange, so
that `marketdata replay` reads them too.
"""

import os
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

import msgspec
from marketdata.errors import MarketDataError, RequestInvalid

MANIFEST = "manifest.jsonl"


class FileState(StrEnum):
    """What the exchange said of a file."""

    DATA = "data"
    EMPTY = "empty"
    """It has no entries: said twice, or said once of a time at which the market was closed."""
    ABSENT = "absent"
    """It could not be had; the reason says why."""


class Entry(msgspec.Struct, frozen=True):
    """One line of the manifest; the last one of a place counts. `revised_at`: when it was found to have changed."""

    place: str
    state: FileState
    fetched_at: datetime
    sha256: str = ""
    bytes: int = 0
    reason: str = ""
    revised_at: datetime | None = None


class Library:
    """The files below one folder. Raises: RequestInvalid where it cannot be written or its manifest is not one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / MANIFEST
        self._entries: dict[str, Entry] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._entries = {entry.place: entry for entry in self._read()}
        except OSError as error:
            raise RequestInvalid("--folder", f"{folder} cannot be used: {error.strerror}") from error

    def entry(self, place: str) -> Entry | None:
        """What is known of a file; None if it must be fetched, also when its copy is damaged or gone."""
        entry = self._entries.get(place)
        if entry is None or entry.state is FileState.ABSENT:
            return None
        return entry if entry.state is FileState.EMPTY or self._intact(entry) else None

    def last(self, place: str) -> Entry | None:
        """The newest line of a file, whatever it says."""
        return self._entries.get(place)

    def body(self, place: str) -> bytes:
        """The bytes of a file that `entry` knows; none of one that is empty. Raises: MarketDataError if it changed."""
        entry = self._entries[place]
        if entry.state is not FileState.DATA:
            return b""
        body = (self.folder / place).read_bytes()
        if sha256(body).hexdigest() != entry.sha256:
            raise MarketDataError(f"{self.folder / place} is not what was fetched; run the import again")
        return body

    def keep(self, place: str, body: bytes, fetched_at: datetime) -> Entry:
        """Keep a file with entries."""
        digest = sha256(body).hexdigest()
        before = self._entries.get(place)
        changed = before is not None and before.state is FileState.DATA and before.sha256 != digest
        revised_at = fetched_at if changed else before.revised_at if before else None
        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(f"{path.name}.{os.getpid()}.half")
        _write_through(half, body)
        half.replace(path)
        return self._add(Entry(place, FileState.DATA, fetched_at, digest, len(body), revised_at=revised_at))

    def note(self, place: str, state: FileState, fetched_at: datetime, reason: str = "") -> Entry:
        """Keep that a file is empty or absent."""
        return self._add(Entry(place, state, fetched_at, reason=reason))

    def _intact(self, entry: Entry) -> bool:
        try:
            return sha256((self.folder / entry.place).read_bytes()).hexdigest() == entry.sha256
        except OSError:
            return False

    def _add(self, entry: Entry) -> Entry:
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(entry) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._entries[entry.place] = entry
        return entry

    def _read(self) -> Iterator[Entry]:
        if not self._path.exists():
            return
        text = self._path.read_bytes()
        whole, _, half = text.rpartition(b"\n")
        if half:
            # Killed while writing a line: what it spoke of is fetched again.
            self._path.write_bytes(whole + b"\n" if whole else b"")
        decode = msgspec.json.Decoder(Entry).decode
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                yield decode(line)
            except msgspec.DecodeError as error:
                raise RequestInvalid("--folder", f"{self._path}, line {number}: {error}") from error


def _write_through(path: Path, body: bytes) -> None:
    with path.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
