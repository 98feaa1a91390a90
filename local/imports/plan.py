"""What an import will fetch and load: files by chunk, months, and what the calendar says of them. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from marketdata.compute.calendar import closed as closed_time
from marketdata.compute.coverage import Spans, contains
from marketdata.compute.months import by_month
from marketdata.errors import RequestInvalid
from marketdata.exchanges.exchange import ArchiveFile, TickArchive
from marketdata.model.quote import PriceSide
from marketdata.model.span import Span
from marketdata.model.timeframe import M1

from local.imports.library import Entry, FileState


class Content(StrEnum):
    """What of an archive is imported."""

    TICKS = "ticks"
    """Every quote, and the minute candles that they make."""
    CANDLES = "candles"
    """The exchange's own minute candles alone: a day a file instead of an hour."""


class Absence(StrEnum):
    """Why an hour has no ticks."""

    MARKET_CLOSED = "market_closed"
    NO_TRADES = "no_trades"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Plan:
    """One import: `files` in order of time; `closed` is when the market did not trade."""

    symbol: str
    span: Span
    content: Content
    sides: tuple[PriceSide, ...]
    chunk: timedelta
    files: tuple[ArchiveFile, ...]
    closed: Spans

    def chunks(self) -> Iterator[Span]:
        """The stretches that are fetched and reported together; none crosses the end of a month."""
        for month in by_month(self.span):
            start = month.start
            while start < month.end:
                end = min(start + self.chunk, month.end)
                yield Span(start, end)
                start = end

    def files_in(self, span: Span) -> list[ArchiveFile]:
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
) -> Plan:
    """Raises: NotFound for an unknown symbol; RequestInvalid for a chunk not of whole days, or a price not offered."""
    if chunk < timedelta(days=1) or chunk % timedelta(days=1):
        raise RequestInvalid("--chunk", "is whole days, at least one: 7d")
    whole = _whole_days(span) if content is Content.CANDLES else span
    files: list[ArchiveFile] = []
    if content is Content.TICKS:
        files += archive.tick_files(symbol, whole)
    else:
        for side in sides:
            files += archive.candle_files(symbol, M1, side, whole)
    closed = closed_time(archive.instrument(symbol, archive.usual_side).calendar, whole)
    in_order = tuple(sorted(files, key=lambda file: (file.span, file.side)))
    return Plan(files[0].symbol, whole, content, tuple(sides), chunk, in_order, closed)


def absence(entry: Entry, file: ArchiveFile, closed: Spans) -> Absence | None:
    """Why a file has no ticks; None if it has some."""
    if entry.state is FileState.DATA:
        return None
    if contains(closed, file.span):
        return Absence.MARKET_CLOSED
    return Absence.NO_TRADES if entry.state is FileState.EMPTY else Absence.MISSING


def _whole_days(span: Span) -> Span:
    start = span.start.replace(hour=0, minute=0, second=0, microsecond=0)
    end = span.end.replace(hour=0, minute=0, second=0, microsecond=0)
    return Span(start, end if end == span.end else end + timedelta(days=1))
