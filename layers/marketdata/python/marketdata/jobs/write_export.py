"""Write one export that is leased: parts first, then the file of all of them. Called by the job `export`.

How far it has come is in its row, so a worker that is killed, breaks or runs out of time is followed by another who
goes on after the last part. Three leases in which nothing was added are the end of it.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from marketdata.clock import Clock
from marketdata.compute.export_parts import export_parts
from marketdata.errors import MarketDataError, StoreError
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.walk_candles import Completeness, completeness_of, walk_months
from marketdata.jobs.write_candles import PARQUET
from marketdata.jobs.write_parts import PartedFile, complete_parts, remove_parts
from marketdata.model.candle import Candle
from marketdata.model.export import Export, ExportProgress, ExportState
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import timeframe_named
from marketdata.model.times import rfc3339
from marketdata.store.exports import ATTEMPTS_MAX
from marketdata.store.file_shelf import FileShelf
from marketdata.store.store import Store

_GAPS_TOLD = 20


class OutOfTime(MarketDataError):
    """The run's time is over."""


class LeaseLost(MarketDataError):
    """Another worker has taken the export up."""


def write_export(store: Store, clock: Clock, deadline: datetime, shelf: FileShelf, found: Export) -> tuple[str, int]:
    """Write it, or as much as there is time for; `done`, `failed` or `unfinished`, and the rows of a whole file."""
    writing = _Writing(store, clock, deadline, shelf, found)
    try:
        result = writing.write()
    except LeaseLost:
        return "unfinished", 0
    except OutOfTime:
        return writing.give_back("" if writing.got_on else "a part is more than one run writes in its time"), 0
    except StoreError as error:
        # What the store or the shelf could not do now they may do later; what is asked wrong stays wrong.
        writing.give_back(str(error))
        return "failed", 0
    except MarketDataError as error:
        writing.fail(str(error))
        return "failed", 0
    if store.finish_export(found, now=clock.now(), state=ExportState.DONE, result=result):
        remove_parts(shelf, found.id, writing.progress)
    rows = result["rows"]
    assert isinstance(rows, int)
    return "done", rows


class _Writing:
    """One lease of an export; `progress` is what is noted of it."""

    def __init__(self, store: Store, clock: Clock, deadline: datetime, shelf: FileShelf, found: Export) -> None:
        self.progress = found.progress or ExportProgress(PARQUET.numbers)
        self._store = store
        self._clock = clock
        self._deadline = deadline
        self._shelf = shelf
        self._found = found

    @property
    def got_on(self) -> bool:
        """Whether a part was written under this lease."""
        return self.progress.attempt == self._found.attempts

    def write(self) -> dict[str, object]:
        """Write the file; what to say of it. Raises: OutOfTime, LeaseLost, StoreError, NotFound."""
        question, timeframe = self._found.question, timeframe_named(self._found.question.timeframe)
        instrument = KnownInstruments(self._store, self._clock).find(question.symbol, question.exchange)
        span = Span(question.start, question.end)
        with tempfile.TemporaryDirectory() as folder:
            file = PartedFile(
                name=self._found.id,
                kind=PARQUET,
                parts=export_parts(span, timeframe),
                months=partial(self._months, instrument),
                shelf=self._shelf,
                folder=Path(folder),
            )
            self.progress, parts = complete_parts(file, self.progress, self._note)
            completeness = completeness_of(self._store, instrument, timeframe, span, self._clock.now())
            path = Path(folder) / self._found.file_name
            PARQUET.join(path, parts, self.progress.numbers, completeness)
            self._shelf.put(path.name, path)
            return _result(self.progress, path.stat().st_size, completeness)

    def give_back(self, reason: str) -> str:
        """Let another lease go on, or say why it is of no use; what became of it."""
        if self._found.attempts - self.progress.attempt >= ATTEMPTS_MAX:
            self.fail(reason)
            return "failed"
        noted: dict[str, object] = {"progress": asdict(self.progress)} if self.progress.attempt else {}
        self._finish(ExportState.QUEUED, noted, reason)
        return "unfinished"

    def fail(self, reason: str) -> None:
        """It has failed, and its parts are of no use."""
        if self._finish(ExportState.FAILED, {}, reason):
            remove_parts(self._shelf, self._found.id, self.progress)

    def _finish(self, state: ExportState, result: dict[str, object], reason: str) -> bool:
        now = self._clock.now()
        return self._store.finish_export(self._found, now=now, state=state, result=result, error=reason)

    def _note(self, progress: ExportProgress) -> ExportProgress:
        noted = replace(progress, attempt=self._found.attempts)
        if not self._store.note_export(self._found, noted):
            raise LeaseLost
        self.progress = noted
        return noted

    def _months(self, instrument: Instrument, part: Span) -> Iterator[list[Candle]]:
        timeframe = timeframe_named(self._found.question.timeframe)
        return walk_months(self._store, instrument, timeframe, part, read=_in_time(self._clock, self._deadline))


def _in_time(clock: Clock, deadline: datetime) -> Callable[[int], None]:
    def check(_: int) -> None:
        if clock.now() >= deadline:
            raise OutOfTime

    return check


def _result(progress: ExportProgress, size: int, completeness: Completeness) -> dict[str, object]:
    gaps = [
        {"start": rfc3339(one.span.start), "end": rfc3339(one.span.end), "state": one.state, "reason": one.reason}
        for one in completeness.gaps[:_GAPS_TOLD]
    ]
    return {
        "rows": sum(progress.rows),
        "bytes": size,
        "numbers": progress.numbers,
        "condition": completeness.condition,
        "coverage": completeness.coverage,
        "gaps": gaps,
        "gaps_total": completeness.gaps_total,
    }
