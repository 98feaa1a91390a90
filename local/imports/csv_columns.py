"""Candles, trades and quotes in CSV files of any shape: a map says which column is what, and odd rows go by number.

A map is `time=Open time,open=Open,...` or by position from 1 for files without a header: `time=1,open=2`. Numbers are
read as exact decimals; times as RFC 3339 or as seconds, milliseconds, microseconds or nanoseconds since the epoch.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path

from marketdata.errors import RequestInvalid
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.quote import Quote
from marketdata.model.timeframe import Timeframe
from marketdata.model.times import EPOCH, utc
from marketdata.model.trade import Side, Trade
from marketdata.serve.request_times import time_ns

FIELD_CHARACTERS_MAX = 1_000


class Kind(StrEnum):
    """What the rows of a file are."""

    CANDLES = "candles"
    TRADES = "trades"
    QUOTES = "quotes"


_REQUIRED = {
    Kind.CANDLES: ("time", "open", "high", "low", "close", "volume"),
    Kind.TRADES: ("time", "id", "price", "size", "side"),
    Kind.QUOTES: ("time", "bid", "ask"),
}
_OPTIONAL: Mapping[Kind, tuple[str, ...]] = {
    Kind.CANDLES: ("quote_volume", "trades", "taker_buy_volume"),
    Kind.TRADES: (),
    Kind.QUOTES: ("bid_size", "ask_size"),
}
_SIDES = {"buy": Side.BUY, "sell": Side.SELL, "b": Side.BUY, "s": Side.SELL}


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Where each field stands: names of the header, or positions from 0."""

    kind: Kind
    columns: Mapping[str, str | int]

    @property
    def by_position(self) -> bool:
        """Whether the file has no header."""
        return all(isinstance(column, int) for column in self.columns.values())


def column_map(kind: Kind, text: str | None) -> ColumnMap:
    """A map as it is typed; none: every field stands under its own name. Raises: RequestInvalid."""
    given: dict[str, str | int] = {}
    for part in text.split(",") if text else ():
        field, _, column = part.partition("=")
        if field not in (*_REQUIRED[kind], *_OPTIONAL[kind]) or not column:
            known = ", ".join((*_REQUIRED[kind], *_OPTIONAL[kind]))
            raise RequestInvalid("--columns", f"{part!r} is not one of {known} = a column")
        given[field] = int(column) - 1 if column.isascii() and column.isdigit() else column
    columns = given or {field: field for field in (*_REQUIRED[kind], *_OPTIONAL[kind])}
    made = ColumnMap(kind, columns)
    absent = [field for field in _REQUIRED[kind] if field not in columns]
    if absent:
        raise RequestInvalid("--columns", f"does not say where {', '.join(absent)} stand")
    if any(isinstance(column, int) for column in columns.values()) and (not made.by_position or -1 in columns.values()):
        raise RequestInvalid("--columns", "is either names or positions from 1")
    return made


def read_candles(
    path: Path, columns: ColumnMap, instrument: Instrument, timeframe: Timeframe, observed_at: datetime
) -> Iterator[Candle]:
    """The candles of a file, ranked `venue`. Raises: RequestInvalid with the line of what cannot be."""
    for line, row in _rows(path, columns):
        try:
            yield _candle(row, instrument, timeframe, observed_at)
        except (InvalidOperation, ValueError, AssertionError, RequestInvalid) as error:
            raise _refused(path, line, error) from error


def read_trades(path: Path, columns: ColumnMap, instrument: Instrument) -> Iterator[Trade]:
    """The trades of a file, in its order. Raises: RequestInvalid with the line of what cannot be."""
    for line, row in _rows(path, columns):
        try:
            yield _trade(row, instrument)
        except (InvalidOperation, ValueError, KeyError, RequestInvalid) as error:
            raise _refused(path, line, error) from error


def read_quotes(path: Path, columns: ColumnMap, instrument: Instrument) -> Iterator[Quote]:
    """The quotes of a file, in its order. Raises: RequestInvalid with the line of what cannot be."""
    for line, row in _rows(path, columns):
        try:
            yield _quote(row, instrument)
        except (InvalidOperation, ValueError, RequestInvalid) as error:
            raise _refused(path, line, error) from error


def _rows(path: Path, columns: ColumnMap) -> Iterator[tuple[int, dict[str, str]]]:
    csv.field_size_limit(FIELD_CHARACTERS_MAX)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            places = _places(path, columns, [] if columns.by_position else next(reader, []))
            for row in reader:
                if row:
                    yield reader.line_num, {field: row[at] for field, at in places.items() if at < len(row)}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RequestInvalid(str(path), f"cannot be read: {error}") from error


def _places(path: Path, columns: ColumnMap, header: Sequence[str]) -> dict[str, int]:
    places: dict[str, int] = {}
    for field, column in columns.columns.items():
        if isinstance(column, int):
            places[field] = column
        elif column in header:
            places[field] = header.index(column)
        elif field in _REQUIRED[columns.kind]:
            raise RequestInvalid(
                "--columns", f"{path} has no column {column!r} for {field}; it has {', '.join(header)}"
            )
    return places


def _candle(row: Mapping[str, str], instrument: Instrument, timeframe: Timeframe, observed_at: datetime) -> Candle:
    opens = utc(time_ns(_text(row, "time"), "time"))
    if timeframe.floor(opens) != opens:
        raise ValueError(f"no candle of {timeframe} opens at {opens:%Y-%m-%d %H:%M:%S}")
    return Candle(
        exchange=instrument.exchange,
        symbol=instrument.symbol,
        timeframe=timeframe,
        open_time=opens,
        open=_number(row, "open"),
        high=_number(row, "high"),
        low=_number(row, "low"),
        close=_number(row, "close"),
        volume=_number(row, "volume", least=Decimal(0)),
        quote_volume=_number(row, "quote_volume", least=Decimal(0)) if row.get("quote_volume") else None,
        trades=int(row["trades"]) if row.get("trades") else None,
        taker_buy_volume=_number(row, "taker_buy_volume", least=Decimal(0)) if row.get("taker_buy_volume") else None,
        first_id=None,
        last_id=None,
        source=Source.VENUE,
        observed_at=max(observed_at, EPOCH),
    )


def _trade(row: Mapping[str, str], instrument: Instrument) -> Trade:
    side = _SIDES[_text(row, "side").casefold()]
    moment, number = time_ns(_text(row, "time"), "time"), int(_text(row, "id"))
    return Trade(instrument.symbol, number, moment, _number(row, "price"), _number(row, "size"), side)


def _quote(row: Mapping[str, str], instrument: Instrument) -> Quote:
    bid_size, ask_size = (
        _number(row, field, least=Decimal(0)) if row.get(field) else None for field in ("bid_size", "ask_size")
    )
    moment = time_ns(_text(row, "time"), "time")
    return Quote(instrument.symbol, moment, _number(row, "bid"), _number(row, "ask"), bid_size, ask_size)


def _number(row: Mapping[str, str], field: str, least: Decimal | None = None) -> Decimal:
    value = Decimal(_text(row, field))
    if not value.is_finite() or (value < least if least is not None else value <= 0):
        raise ValueError(f"{field} is {value}")
    return value


def _text(row: Mapping[str, str], field: str) -> str:
    text = row.get(field, "").strip()
    if not text:
        raise ValueError(f"{field} is missing")
    return text


def _refused(path: Path, line: int, error: Exception) -> RequestInvalid:
    return RequestInvalid(f"{path}, line {line}", str(error) or type(error).__name__)
