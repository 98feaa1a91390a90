"""Write candles into a file: Parquet with exact decimals, or CSV. A month is a row group, and all that is in memory.

Parquet: zstd; times are microseconds, UTC; prices and sizes decimal128(38, 18), which holds what exchanges say; if one
value does not fit exactly, the file is begun again with all of them as text. The file's metadata says which
(`marketdata.numbers`), and has `marketdata.condition`, `.coverage` and `.gaps`.
pyarrow is imported when a Parquet file is written: nothing else needs it.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

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

Months = Callable[[], Iterator[list[Candle]]]
"""Reads the candles again from the beginning, a month at a time."""


def write_parquet(path: Path, months: Months, facts: Callable[[], Completeness]) -> tuple[int, str, Completeness]:
    """Write them; how many rows, how numbers are written, and what `facts` said when the last row was read."""
    import pyarrow  # noqa: PLC0415 - see above

    try:
        return _write(path, months(), facts, pyarrow.decimal128(PRECISION, SCALE), DECIMAL)
    except pyarrow.ArrowInvalid:
        return _write(path, months(), facts, pyarrow.string(), TEXT)


def _write(
    path: Path, months: Iterable[list[Candle]], facts: Callable[[], Completeness], number: Any, numbers: str
) -> tuple[int, str, Completeness]:
    import pyarrow  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    schema, rows = _schema(pyarrow, number), 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for candles in months:
            columns = [_column(pyarrow, candles, field, numbers) for field in schema]
            writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema))
            rows += len(candles)
        completeness = facts()
        told = {"numbers": numbers, **_facts(completeness)}
        writer.add_key_value_metadata({f"marketdata.{name}": value for name, value in told.items()})
    return rows, numbers, completeness


def _schema(pyarrow: Any, number: Any) -> Any:
    time, whole = pyarrow.timestamp("us", tz="UTC"), pyarrow.int64()
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


def write_csv(path: Path, months: Months, facts: Callable[[], Completeness]) -> tuple[int, str, Completeness]:
    """The same as CSV with a header: exact digits, times in RFC 3339; an absent value is empty."""
    rows = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for candles in months():
            writer.writerows([_text(_value(candle, name)) for name in COLUMNS] for candle in candles)
            rows += len(candles)
    return rows, TEXT, facts()


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
