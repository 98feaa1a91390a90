"""Write candles into a file, part by part: Parquet with exact decimals, or CSV. Called by write_parts.

Parquet: zstd; a month is a row group, and all that is in memory. Times are microseconds, UTC; prices and sizes
decimal128(38, 18), which holds what exchanges say; if one value does not fit exactly, all of the file has them as text.
The file's metadata says which (`marketdata.numbers`), and has `marketdata.condition`, `.coverage` and `.gaps`.
pyarrow is imported when a Parquet file is written: nothing else needs it.
"""

import csv
import shutil
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import msgspec

from marketdata.jobs.walk_candles import Completeness
from marketdata.model.candle import Candle
from marketdata.model.times import rfc3339

NUMBERS = ("open", "high", "low", "close", "volume", "quote_volume", "taker_buy_volume")
COLUMNS = (
    *("exchange", "symbol", "timeframe", "open_time", "close_time", *NUMBERS),
    *("trades", "first_id", "last_id", "source", "complete", "revision"),
)
PRECISION, SCALE = 38, 18
DECIMAL, TEXT = "decimal128(38, 18)", "text"


class NumbersDoNotFit(Exception):
    """A value has more digits than the file's decimals."""


class FileKind(Protocol):
    """A format: parts of candles, and the file that they are joined to. `numbers`: DECIMAL or TEXT."""

    numbers: str
    """How numbers are written where they fit."""

    def write_part(self, path: Path, months: Iterable[list[Candle]], numbers: str) -> int:
        """Write candles, a month at a time; how many rows. Raises: NumbersDoNotFit."""
        ...

    def join(self, path: Path, parts: Sequence[Path], numbers: str, facts: Completeness) -> None:
        """Make one file of all parts, in their order."""
        ...


class ParquetKind:
    """Parquet; a part is a file of its own, whose row groups are taken over as they are."""

    numbers = DECIMAL

    def write_part(self, path: Path, months: Iterable[list[Candle]], numbers: str) -> int:
        """See FileKind."""
        import pyarrow  # noqa: PLC0415 - see above
        from pyarrow import parquet  # noqa: PLC0415

        schema, rows = _schema(pyarrow, numbers), 0
        with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            for candles in months:
                try:
                    columns = [_column(pyarrow, candles, field, numbers) for field in schema]
                except pyarrow.ArrowInvalid as error:
                    raise NumbersDoNotFit from error
                writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema))
                rows += len(candles)
        return rows

    def join(self, path: Path, parts: Sequence[Path], numbers: str, facts: Completeness) -> None:
        """See FileKind."""
        import pyarrow  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415

        with parquet.ParquetWriter(path, _schema(pyarrow, numbers), compression="zstd") as writer:
            for part in parts:
                with parquet.ParquetFile(part) as read:
                    for group in range(read.num_row_groups):
                        writer.write_table(read.read_row_group(group))
            told = {"numbers": numbers, **_facts(facts)}
            writer.add_key_value_metadata({f"marketdata.{name}": value for name, value in told.items()})


class CsvKind:
    """CSV with a header: exact digits, times in RFC 3339; an absent value is empty. A part is its lines."""

    numbers = TEXT

    def write_part(self, path: Path, months: Iterable[list[Candle]], numbers: str) -> int:
        """See FileKind."""
        rows = 0
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            for candles in months:
                writer.writerows([_text(_value(candle, name)) for name in COLUMNS] for candle in candles)
                rows += len(candles)
        return rows

    def join(self, path: Path, parts: Sequence[Path], numbers: str, facts: Completeness) -> None:
        """See FileKind."""
        with path.open("wb") as file:
            file.write(",".join(COLUMNS).encode() + b"\n")
            for part in parts:
                with part.open("rb") as read:
                    shutil.copyfileobj(read, file)


PARQUET, CSV = ParquetKind(), CsvKind()


def _schema(pyarrow: Any, numbers: str) -> Any:
    time, whole = pyarrow.timestamp("us", tz="UTC"), pyarrow.int64()
    number = pyarrow.string() if numbers == TEXT else pyarrow.decimal128(PRECISION, SCALE)
    kinds = {
        **dict.fromkeys(NUMBERS, number),
        **dict.fromkeys(("open_time", "close_time"), time),
        **dict.fromkeys(("trades", "first_id", "last_id", "revision"), whole),
        "complete": pyarrow.bool_(),
    }
    return pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in COLUMNS])


def _column(pyarrow: Any, candles: Sequence[Candle], field: Any, numbers: str) -> Any:
    values = [_value(candle, field.name) for candle in candles]
    if field.name in NUMBERS and numbers == TEXT:
        values = [None if value is None else f"{value:f}" for value in values]
    return pyarrow.array(values, type=field.type)


def _value(candle: Candle, name: str) -> Any:
    if name == "source":
        return candle.source.label
    return candle.timeframe.name if name == "timeframe" else getattr(candle, name)


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return rfc3339(value) if isinstance(value, datetime) else "" if value is None else str(value)


def _facts(completeness: Completeness) -> dict[str, str]:
    gaps = [
        {
            "start": rfc3339(one.span.start),
            "end": rfc3339(one.span.end),
            "buckets": one.buckets,
            "state": one.state,
            "reason": one.reason,
        }
        for one in completeness.gaps
    ]
    return {
        "condition": completeness.condition,
        "coverage": "" if completeness.coverage is None else str(completeness.coverage),
        "gaps": msgspec.json.encode(gaps).decode(),
        "gaps_total": str(completeness.gaps_total),
    }
