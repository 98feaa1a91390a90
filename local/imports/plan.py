"""What an import will fetch and load: files by chunk, months, and what the calendar says of them. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from marketdata.compute.calendar import closed as closed_time
from marketdata.compute.coverage import Spans, contains
from marketdata.compute.months import by_month, day_of
from marketdata.errors import RequestInvalid
from marketdata.exchanges.exchange import ArchiveFile, TickArchive
from marketdata.model.quote import PriceSide
from marketdata.model.span import Span
from marketdata.model.timeframe import M1

from local.imports.library import Entry, FileState


class Content(StrEnum):
    """What of an archive is imported."""

    TICKS = "ticks"
    """Every quote or trade, and the minute candles that they make."""
    CANDLES = "candles"
    """The exchange's own minute candles alone: fewer and smaller files."""


class Absence(StrEnum):
    """Why a file has nothing."""

    MARKET_CLOSED = "market_closed"
    NO_TRADES = "no_trades"
    MISSING = "missing"


class File(Protocol):
    """One file of an archive: where a copy of it belongs, below some folder, and all the time that it speaks of."""

    @property
    def place(self) -> str: ...

    @property
    def span(self) -> Span: ...


AnyFile = TypeVar("AnyFile", bound=File)


@dataclass(frozen=True, slots=True)
class Plan(Generic[AnyFile]):
    """One import: `files` in order of time; `closed` is when the market did not trade; `sides`: which prices, if so."""

    symbol: str
    span: Span
    content: Content
    chunk: timedelta
    files: tuple[AnyFile, ...]
    closed: Spans = ()
    sides: tuple[PriceSide, ...] = ()

    def chunks(self) -> Iterator[Span]:
        """The stretches that are fetched and reported together; none crosses the end of a month."""
        for month in by_month(self.span):
            start = month.start
            while start < month.end:
                end = min(start + self.chunk, month.end)
                yield Span(start, end)
                start = end

    def files_in(self, span: Span) -> list[AnyFile]:
        """The files that begin in `span`."""
        return [file for file in self.files if file.span.start in span]


def plan_import(
    archive: TickArchive,
    symbol: str,
    span: Span,
    *,
    content: Content,
    sides: Sequence[PriceSide],
    chunk: timedelta,
) -> Plan[ArchiveFile]:
    """Raises: NotFound for an unknown symbol; RequestInvalid for a chunk not of whole days, or a price not offered."""
    require_days(chunk)
    whole = whole_days(span) if content is Content.CANDLES else span
    files: list[ArchiveFile] = []
    if content is Content.TICKS:
        files += archive.tick_files(symbol, whole)
    else:
        for side in sides:
            files += archive.candle_files(symbol, M1, side, whole)
    closed = closed_time(archive.instrument(symbol, archive.usual_side).calendar, whole)
    in_order = tuple(sorted(files, key=lambda file: (file.span, file.side)))
    return Plan(files[0].symbol, whole, content, chunk, in_order, closed, tuple(sides))


def require_days(chunk: timedelta) -> None:
    """Raises: RequestInvalid for a chunk that is not of whole days."""
    if chunk < timedelta(days=1) or chunk % timedelta(days=1):
        raise RequestInvalid("--chunk", "is whole days, at least one: 7d")


def absence(entry: Entry, file: File, closed: Spans) -> Absence | None:
    """Why a file has nothing; None if it has something."""
    if entry.state is FileState.DATA:
        return None
    if contains(closed, file.span):
        return Absence.MARKET_CLOSED
    return Absence.NO_TRADES if entry.state is FileState.EMPTY else Absence.MISSING


def whole_days(span: Span) -> Span:
    """The days that share a moment with `span`."""
    end = day_of(span.end).start
    return Span(day_of(span.start).start, end if end == span.end else end + timedelta(days=1))
