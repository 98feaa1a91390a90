"""Candles and what is known of their time: rows in, columns out. The columns are those of migrations/."""

from dataclasses import fields
from decimal import Decimal

import msgspec

from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.timeframe import Timeframe, timeframe_of_minutes
from marketdata.model.times import rfc3339
from marketdata.store.answers import CoverageAudit, CoverageFault, DayCounts
from marketdata.store.wire import Row, number, require_one_length, spans, time_of


class CandleColumns(msgspec.Struct):
    """The answer of `get_candles_v1`: one list a column, all of one length."""

    open_time: list[int]
    open: list[Decimal]
    high: list[Decimal]
    low: list[Decimal]
    close: list[Decimal]
    volume: list[Decimal]
    quote_volume: list[Decimal | None]
    taker_buy_volume: list[Decimal | None]
    trades: list[int | None]
    first_id: list[int | None]
    last_id: list[int | None]
    source: list[Source]
    observed_at: list[int]
    revision: list[int]

    def __post_init__(self) -> None:
        require_one_length(self)

    def candles(self, instrument: Instrument, timeframe: Timeframe) -> list[Candle]:
        """The values that the columns stand for, in their order."""
        names = [field.name for field in fields(Candle)[3:]]
        columns = {name: getattr(self, name) for name in names}
        columns["open_time"] = [time_of(one) for one in self.open_time]
        columns["observed_at"] = [time_of(one) for one in self.observed_at]
        rows = zip(*columns.values(), strict=True)
        return [Candle(instrument.exchange, instrument.symbol, timeframe, *row) for row in rows]


class CoverageSpans(msgspec.Struct):
    """The answer of `get_coverage_v1`: pairs of start and end."""

    covered: list[tuple[int, int]]
    empty: list[tuple[int, int]]


class DayColumns(msgspec.Struct):
    """The answer of `count_candles_v2`: the fields of DayCounts in their order, one list a column."""

    day: list[int]
    partial: list[int]
    live: list[int]
    venue: list[int]
    proven: list[int]
    manual: list[int]
    empty: list[int]

    def __post_init__(self) -> None:
        require_one_length(self)

    def days(self) -> list[DayCounts]:
        """The values that the columns stand for, in their order."""
        _, *counts = msgspec.structs.astuple(self)
        return [DayCounts(time_of(day), *row) for day, *row in zip(self.day, *counts, strict=True)]


class AuditColumns(msgspec.Struct):
    """The answer of `audit_coverage_v1`: one list a column, and how many faults there are in all."""

    timeframe: list[int]
    start: list[int]
    end: list[int]
    held: list[bool]
    total: int

    def audit(self) -> CoverageAudit:
        """The value that the columns stand for."""
        edges = spans(list(zip(self.start, self.end, strict=True)))
        rows = zip(map(timeframe_of_minutes, self.timeframe), edges, self.held, strict=True)
        return CoverageAudit(tuple(CoverageFault(*row) for row in rows), self.total)


def candle_row(candle: Candle, instrument_id: int) -> Row:
    """A row for `candles`: every column but `revision`, which the database counts."""
    return {
        "instrument_id": instrument_id,
        "timeframe": candle.timeframe.minutes,
        "open_time": rfc3339(candle.open_time),
        "open": number(candle.open),
        "high": number(candle.high),
        "low": number(candle.low),
        "close": number(candle.close),
        "volume": number(candle.volume),
        "quote_volume": number(candle.quote_volume),
        "taker_buy_volume": number(candle.taker_buy_volume),
        "trades": candle.trades,
        "first_id": candle.first_id,
        "last_id": candle.last_id,
        "source": int(candle.source),
        "observed_at": rfc3339(candle.observed_at),
        # A reported candle over a rolled up one: the row must stop being a rollup.
        "derived": False,
    }


class ChangeColumns(msgspec.Struct):
    """The answer of `get_changes_v1`: one entry a span; times in microseconds."""

    last_id: int
    instrument_id: list[int]
    start: list[int]
    end: list[int]
