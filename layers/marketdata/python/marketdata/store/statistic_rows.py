"""Statistics: rows in and rows out. The columns are those of migrations/."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from marketdata.model.statistics import (
    MarketAggregate,
    MarketComparison,
    MarketKey,
    MarketSnapshot,
    RoiStatistic,
    Statistic,
)
from marketdata.model.timeframe import timeframe_of_minutes
from marketdata.model.times import rfc3339
from marketdata.store.wire import Row, in_utc, number

TABLES: dict[type[Statistic], str] = {
    RoiStatistic: "roi_statistics",
    MarketSnapshot: "market_snapshots",
    MarketAggregate: "market_aggregates",
    MarketComparison: "market_comparisons",
}
CONFLICTS: dict[type[Statistic], str] = {
    RoiStatistic: "instrument_id,period,as_of",
    MarketSnapshot: "instrument_id,as_of",
    MarketAggregate: "instrument_id,period,as_of",
    MarketComparison: "first_id,second_id,as_of",
}

_OWN = {"exchange", "symbol", "first", "second", "timeframe", "id"}
_AS_THEY_ARE = {"period", "n", "formula_version"}
_EXACT = {
    "price",
    "volume_24h",
    "quote_volume_24h",
    "open",
    "high",
    "low",
    "close",
    "average",
    "volume",
    "quote_volume",
}


def statistic_row(statistic: Statistic, ids: Mapping[MarketKey, int]) -> Row:
    """A row of the table of its kind: every column but `id`."""
    row: Row = {name: _column(name, getattr(statistic, name)) for name in _names(type(statistic))}
    if isinstance(statistic, MarketComparison):
        return row | {"first_id": ids[statistic.first], "second_id": ids[statistic.second]}
    if isinstance(statistic, RoiStatistic):
        row["timeframe"] = statistic.timeframe.minutes
    return row | {"instrument_id": ids[statistic.exchange, statistic.symbol]}


def selected(kind: type[Statistic]) -> list[str]:
    """The columns to ask for; numbers as text, which no gateway turns into floats."""
    numbers = [f"{name}::text" if _is_number(name) else name for name in _names(kind)]
    own = ["first_id", "second_id"] if kind is MarketComparison else ["instrument_id"]
    return ["id", *own, *(["timeframe"] if kind is RoiStatistic else []), *numbers]


def statistic_of(kind: type[Any], row: Row, keys: Mapping[int, MarketKey]) -> Statistic:
    """The value that a row stands for. Raises: msgspec.ValidationError for a row of another shape."""
    read = {name: _value(name, row.get(name)) for name in _names(kind)}
    if kind is MarketComparison:
        comparison: Statistic = kind(first=keys[row["first_id"]], second=keys[row["second_id"]], id=row["id"], **read)
        return comparison
    if kind is RoiStatistic:
        read["timeframe"] = timeframe_of_minutes(row["timeframe"])
    exchange, symbol = keys[row["instrument_id"]]
    statistic: Statistic = kind(exchange=exchange, symbol=symbol, id=row["id"], **read)
    return statistic


def market_numbers(row: Row) -> set[int]:
    """The numbers of the markets that a row is about."""
    return {row[name] for name in ("instrument_id", "first_id", "second_id") if name in row}


def _names(kind: type[Statistic]) -> list[str]:
    return [one.name for one in fields(kind) if one.name not in _OWN]


def _is_number(name: str) -> bool:
    return name not in _AS_THEY_ARE and name not in ("as_of", "absent")


def _column(name: str, value: Any) -> Any:
    if name == "as_of":
        return rfc3339(value)
    if name == "absent":
        return dict(value)
    # The shortest text that reads as the same float.
    return number(value) if name in _EXACT else repr(value) if isinstance(value, float) else value


def _value(name: str, value: Any) -> Any:
    if name == "as_of":
        return in_utc(msgspec.convert(value, datetime))
    if name in _EXACT:
        return None if value is None else msgspec.convert(value, Decimal)
    return float(value) if _is_number(name) and value is not None else value
