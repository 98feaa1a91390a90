"""One import from first file to last rollup: fetch a chunk, load a month when it is whole, say how far it is."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol

from marketdata.compute.months import month_of
from marketdata.errors import RemoteUnavailable
from marketdata.model.span import Span

from local.imports.fetch import Fetcher
from local.imports.imported import Imported
from local.imports.plan import Absence, AnyFile, Plan, absence

ABSENT_IN_A_ROW_MAX = 24
"""So many files of open hours after another that cannot be had, and the archive is taken to be away."""


class Loads(Protocol):
    """What puts fetched files into the database."""

    exchange: str
    done: Imported

    def load(self, span: Span) -> None:
        """Load `span`, which lies in one month and was fetched, in one transaction."""
        ...

    def finish(self) -> None:
        """Bring rollups and coverage up to date."""
        ...


@dataclass(slots=True)
class Progress:
    """How far an import is; rates are of this run alone, so that what was fetched before does not flatter them."""

    files_total: int
    files: int = 0
    requested: int = 0
    rows: int = 0
    chunk: str = ""
    began: float = 0.0

    def sentence(self, now: float) -> str:
        """For a person."""
        elapsed = max(now - self.began, 1e-6)
        rate = self.files / elapsed
        left = (self.files_total - self.files) / rate if rate else 0.0
        return (
            f"{self.chunk}: {self.files:,} of {self.files_total:,} files, {rate:,.1f} files/s,"
            f" {self.rows:,} rows, {self.rows / elapsed:,.0f} rows/s, about {_duration(left)} left"
        )


class ImportRun(Generic[AnyFile]):
    """Runs a plan. `say` hears every sentence; `again` asks for files anew that the library has."""

    def __init__(
        self,
        plan: Plan[AnyFile],
        fetcher: Fetcher[AnyFile],
        load: Loads,
        say: Callable[[str], object],
        *,
        again: bool = False,
    ) -> None:
        self.progress = Progress(len(plan.files))
        self._plan = plan
        self._fetcher = fetcher
        self._load = load
        self._say = say
        self._again = again
        self._absent_in_a_row = 0

    def run(self) -> Imported:
        """Raises: RemoteThrottled, RemoteUnavailable, psycopg.Error; what was fetched and loaded stays."""
        self.progress.began = time.monotonic()
        waiting: Span | None = None
        for chunk in self._plan.chunks():
            self.progress.chunk = f"{chunk.start:%Y-%m-%d}"
            self._fetch(chunk)
            waiting = Span(waiting.start, chunk.end) if waiting else chunk
            if chunk.end in {month_of(chunk.start).end, self._plan.span.end}:
                self._load.load(waiting)
                waiting = None
                self.progress.rows = self._load.done.ticks + self._load.done.candles
                self._tell()
        self._load.finish()
        return self._load.done

    def _fetch(self, chunk: Span) -> None:
        for file in self._plan.files_in(chunk):
            entry = self._fetcher.fetch(file, again=self._again)
            missing = absence(entry, file, self._plan.closed) is Absence.MISSING
            self._absent_in_a_row = self._absent_in_a_row + 1 if missing else 0
            if self._absent_in_a_row >= ABSENT_IN_A_ROW_MAX:
                raise RemoteUnavailable(
                    self._load.exchange,
                    f"{self._absent_in_a_row} files after another cannot be had; the last, {file.place}:"
                    f" {entry.reason} (if there is nothing that old, begin later)",
                )
            self.progress.files += 1
            self.progress.requested = self._fetcher.requests
            self._tell()

    def _tell(self) -> None:
        self._say(self.progress.sentence(time.monotonic()))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
