"""An archive's history into the database: fetch by chunk, load by month, and leave no hour unexplained.

A month is loaded in one transaction: quotes, candles, what is known to be empty and what is missing, or nothing of it.
Whatever was fetched before a crash is not fetched again, and a month that was loaded twice is the same as once: so an
import that is killed anywhere and run again ends in the same rows as one that was not.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import psycopg
from marketdata.clock import Clock
from marketdata.compute.coverage import Spans, subtract, union
from marketdata.compute.fold_columns import fold_columns
from marketdata.exchanges.exchange import ArchiveFile, TickArchive
from marketdata.model.candle import Candle, Source
from marketdata.model.quote import PriceSide, sided
from marketdata.model.span import Span

from local.imports.books import Books
from local.imports.copy_text import candle_lines, quote_lines
from local.imports.imported import Imported
from local.imports.library import Library
from local.imports.partition import CANDLES, QUOTES, LoadedPartition, PartitionLoad
from local.imports.plan import Absence, Content, Plan, absence

CANDLES_A_CHUNK = 5_000


@dataclass(slots=True)
class _Month:
    """What the files of one month gave, while they stream by."""

    candles: dict[PriceSide, list[Candle]]
    missing: list[ArchiveFile] = field(default_factory=list)
    spoken_of: list[ArchiveFile] = field(default_factory=list)
    ticks: int = 0

    def speaking(self, files: list[ArchiveFile], side: PriceSide) -> Spans:
        """The time of those of `files` that speak of that price; ticks speak of every one."""
        return union(file.span for file in files if file.timeframe is None or file.side is side)


class ArchiveImport:
    """Loads what a library holds of one plan. `connection` is in autocommit; the months' transactions are made here."""

    def __init__(
        self,
        connection: psycopg.Connection,
        archive: TickArchive,
        library: Library,
        plan: Plan[ArchiveFile],
        clock: Clock,
    ) -> None:
        self.done = Imported()
        self.exchange = archive.name
        self._connection = connection
        self._archive = archive
        self._library = library
        self._plan = plan
        self._books = Books(connection, clock)
        self._numbers: Mapping[PriceSide | None, int] = {}

    def load(self, span: Span) -> None:
        """Load `span`, which lies in one month and was fetched, in one transaction."""
        self._numbers = self._numbers or self._number_instruments()
        files = self._plan.files_in(span)
        month = _Month({side: [] for side in self._plan.sides})
        with self._connection.transaction():
            if self._plan.content is Content.TICKS:
                PartitionLoad(self._connection, QUOTES, span.start).load(self._quote_chunks(files, month))
            else:
                for file in files:
                    self._read_candles(file, month)
            loaded = PartitionLoad(self._connection, CANDLES, span.start).load(self._candle_chunks(month))
            self._books.make_room(span)
            for side, candles in month.candles.items():
                self._say_what_is_not(side, candles, month)
        self._count(month, loaded)

    def finish(self) -> None:
        """Bring rollups and coverage up to date, and take off the ledger what is held by now."""
        self._books.close()

    def _quote_chunks(self, files: Iterable[ArchiveFile], month: _Month) -> Iterator[str]:
        for file in files:
            if not self._has_entries(file, month):
                continue
            columns = self._archive.parse_ticks(self._library.body(file.place), file)
            month.ticks += len(columns)
            for side, candles in month.candles.items():
                symbol = sided(file.symbol, side, self._archive.usual_side)
                folded = fold_columns(columns, self._archive.name, symbol, side, Source.VENUE)
                candles += [replace(candle, observed_at=self._observed_at(file)) for candle in folded]
            yield quote_lines(columns, self._numbers[None])

    def _read_candles(self, file: ArchiveFile, month: _Month) -> None:
        if self._has_entries(file, month):
            body = self._library.body(file.place)
            parsed = self._archive.parse_candles(body, file, self._observed_at(file))
            month.candles[file.side] += [one for one in parsed if not self._archive.is_flat(one)]

    def _has_entries(self, file: ArchiveFile, month: _Month) -> bool:
        """Whether there is something to read; what there is not is explained."""
        entry = self._library.last(file.place)
        assert entry is not None, file
        why = absence(entry, file, self._plan.closed)
        self.done.note_absence(why)
        if why is Absence.MISSING:
            month.missing.append(file)
        else:
            month.spoken_of.append(file)
        return why is None

    def _observed_at(self, file: ArchiveFile) -> datetime:
        """An archive speaks as of the end of its file; a file that has changed since, as of when that was seen."""
        entry = self._library.last(file.place)
        return entry.revised_at if entry and entry.revised_at else file.span.end

    def _candle_chunks(self, month: _Month) -> Iterator[str]:
        for side, candles in month.candles.items():
            candles.sort(key=lambda candle: candle.open_time)
            inside = [one for one in candles if one.open_time in self._plan.span]
            for first in range(0, len(inside), CANDLES_A_CHUNK):
                yield candle_lines(inside[first : first + CANDLES_A_CHUNK], self._numbers[side])

    def _say_what_is_not(self, side: PriceSide, candles: list[Candle], month: _Month) -> None:
        """Minutes without a tick in files that were had are empty; open ones of files that were not are gaps."""
        held = union(Span(one.open_time, one.close_time) for one in candles)
        empty = subtract(month.speaking(month.spoken_of, side), union(held, self._plan.closed))
        missing = subtract(month.speaking(month.missing, side), self._plan.closed)
        self._books.mark_empty(self._numbers[side], empty)
        self._books.record_missing(self._numbers[side], missing)
        self.done.missing = union(self.done.missing, missing)

    def _count(self, month: _Month, loaded: LoadedPartition) -> None:
        self.done.ticks += month.ticks
        self.done.candles += loaded.rows
        self.done.months += 1
        self.done.months_attached += loaded.attached

    def _number_instruments(self) -> Mapping[PriceSide | None, int]:
        """The numbers of the instruments: the quotes' under None, candles' by their price."""
        sides = {None: self._archive.usual_side} | {side: side for side in self._plan.sides}
        instruments = {key: self._archive.instrument(self._plan.symbol, side) for key, side in sides.items()}
        return {key: self._books.number_of_new(one) for key, one in instruments.items()}
