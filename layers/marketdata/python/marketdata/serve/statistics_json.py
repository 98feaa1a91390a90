"""Statistics as clients hear them: the records of /v1/roi, /v1/snapshots and /v1/comparisons."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from marketdata.model.statistics import FORMULA_VERSION, MarketComparison, MarketKey, RoiStatistic, Statistic
from marketdata.model.times import rfc3339
from marketdata.serve.decimals import AsJson
from marketdata.serve.json_types import Instant

NOT_TOLD = {"id", "timeframe", "first", "second", "period", "as_of"}


class StatisticsMeta(msgspec.Struct, frozen=True):
    as_of: Instant
    formula_version: int
    simulated: bool


class _Page(msgspec.Struct, frozen=True):
    data: list[dict[str, Any]]
    next_cursor: str | None
    meta: StatisticsMeta


def statistics_body(
    rows: Sequence[Statistic],
    simulated: frozenset[MarketKey],
    next_cursor: str | None,
    as_of: datetime,
    number: AsJson,
) -> str:
    """The whole answer; `simulated` are the keys of the markets that are."""
    records = [_record(row, simulated, number) for row in rows]
    meta = StatisticsMeta(rfc3339(as_of), FORMULA_VERSION, any(record["simulated"] for record in records))
    return msgspec.json.encode(_Page(records, next_cursor, meta)).decode()


def _record(row: Statistic, simulated: frozenset[MarketKey], number: AsJson) -> dict[str, Any]:
    """Who and when, then the figures under their names; amounts exact, ratios as the floats that they are."""
    values = {one.name: getattr(row, one.name) for one in fields(row) if one.name not in NOT_TOLD}
    figures = {name: number(value) if isinstance(value, Decimal) else value for name, value in values.items()}
    return {
        **_who(row),
        **figures,
        "as_of": rfc3339(row.as_of),
        "simulated": any(market in simulated for market in row.markets),
    }


def _who(row: Statistic) -> dict[str, Any]:
    if isinstance(row, MarketComparison):
        return {
            side: {"exchange": key[0], "symbol": key[1]}
            for side, key in zip(("first", "second"), row.markets, strict=True)
        }
    if isinstance(row, RoiStatistic):
        return {"exchange": row.exchange, "symbol": row.symbol, "window": row.period, "timeframe": row.timeframe.name}
    return {"exchange": row.exchange, "symbol": row.symbol}
