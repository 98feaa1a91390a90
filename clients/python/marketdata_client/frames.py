"""Candles as the tables of pandas, polars and pyarrow; each is imported when it is asked for.

Amounts become floats, as these libraries compute with: 15 significant digits are kept. `exact` keeps every digit, as
Decimals. A column of Decimals holds at most 38 digits in polars and 76 in Arrow; more is an error and not a rounding.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from typing import TYPE_CHECKING, Any

from marketdata_client.errors import MarketDataClientError

if TYPE_CHECKING:
    from marketdata_client.candles import Candle

_AMOUNTS = ("open", "high", "low", "close", "volume", "quote_volume", "vwap", "taker_buy_volume")
_COUNTS = ("trades", "first_id", "last_id")


def to_pandas(rows: Sequence["Candle"], *, exact: bool) -> Any:
    """A DataFrame, indexed by `open_time`."""
    pandas = _library("pandas")
    frame = pandas.DataFrame(_columns(rows, exact))
    frame = frame.astype(dict.fromkeys((*_COUNTS, "revision"), "Int64"))
    if not exact:
        frame = frame.astype(dict.fromkeys(_AMOUNTS, "float64"))
    for name in ("open_time", "close_time"):
        frame[name] = pandas.to_datetime(frame[name], utc=True)
    return frame.set_index("open_time")


def to_polars(rows: Sequence["Candle"], *, exact: bool) -> Any:
    """A DataFrame."""
    polars = _library("polars")
    amounts = {} if exact else dict.fromkeys(_AMOUNTS, polars.Float64)
    times = dict.fromkeys(("open_time", "close_time"), polars.Datetime("us", "UTC"))
    counts = dict.fromkeys((*_COUNTS, "revision"), polars.Int64)
    return polars.DataFrame(_columns(rows, exact), schema_overrides=amounts | times | counts)


def to_arrow(rows: Sequence["Candle"], *, exact: bool) -> Any:
    """A Table."""
    arrow = _library("pyarrow")
    kinds = dict.fromkeys(("open_time", "close_time"), arrow.timestamp("us", "UTC"))
    kinds |= dict.fromkeys((*_COUNTS, "revision"), arrow.int64())
    if not exact:
        kinds |= dict.fromkeys(_AMOUNTS, arrow.float64())
    columns = _columns(rows, exact)
    return arrow.table({name: arrow.array(values, kinds.get(name)) for name, values in columns.items()})


def _columns(rows: Sequence["Candle"], exact: bool) -> Mapping[str, list[Any]]:
    from marketdata_client.candles import Candle  # noqa: PLC0415 -- candles offer these tables

    names = [one.name for one in fields(Candle) if one.name != "closed"]
    columns: dict[str, list[Any]] = {name: [getattr(row, name) for row in rows] for name in names}
    if not exact:
        columns |= {name: [_rounded(value) for value in columns[name]] for name in _AMOUNTS}
    return columns


def _rounded(amount: Decimal | datetime | None) -> float | None:
    return float(amount) if isinstance(amount, Decimal) else None


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        extra = "arrow" if name == "pyarrow" else name
        raise MarketDataClientError(f"{name} is not installed: pip install 'marketdata-client[{extra}]'") from error
