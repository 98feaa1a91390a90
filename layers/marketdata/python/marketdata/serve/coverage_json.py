"""Daily coverage as clients hear it: the records of /v1/coverage."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from marketdata.compute.daily_coverage import DayCoverage
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe
from marketdata.model.times import rfc3339
from marketdata.serve.json_types import Day, Instant


class DayRecord(msgspec.Struct, frozen=True):
    """`present + no_trades + missing = expected`; `proven` are of `present`, `partial` of `missing`."""

    exchange: str
    symbol: str
    timeframe: str
    day: Day
    expected: int
    present: int
    proven: int
    partial: int
    no_trades: int
    missing: int
    coverage: float
    simulated: bool


class CountedSpan(msgspec.Struct, frozen=True):
    start: Instant
    end: Instant


class CoverageMeta(msgspec.Struct, frozen=True):
    """`span` is what was counted: the closed and settled buckets of what was asked for; null if there are none."""

    span: CountedSpan | None
    as_of: Instant
    simulated: bool


class Coverage(msgspec.Struct, frozen=True):
    data: list[DayRecord]
    meta: CoverageMeta


def coverage_body(
    days: Sequence[tuple[Instrument, DayCoverage]], timeframe: Timeframe, counted: Span | None, as_of: datetime
) -> str:
    """The whole answer of /v1/coverage."""
    records = [_record(instrument, timeframe, day) for instrument, day in days]
    span = CountedSpan(rfc3339(counted.start), rfc3339(counted.end)) if counted else None
    meta = CoverageMeta(span, rfc3339(as_of), any(record.simulated for record in records))
    return msgspec.json.encode(Coverage(records, meta)).decode()


def _record(instrument: Instrument, timeframe: Timeframe, day: DayCoverage) -> DayRecord:
    return DayRecord(
        exchange=instrument.exchange,
        symbol=instrument.symbol,
        timeframe=timeframe.name,
        day=day.day.isoformat(),
        expected=day.expected,
        present=day.present,
        proven=day.proven,
        partial=day.partial,
        no_trades=day.no_trades,
        missing=day.missing,
        coverage=day.coverage,
        simulated=instrument.simulated,
    )
