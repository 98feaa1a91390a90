"""The gap ledger as clients hear it: the records of /v1/gaps."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from marketdata.model.gap import Gap
from marketdata.model.times import rfc3339
from marketdata.serve.json_types import Instant


class GapRecord(msgspec.Struct, frozen=True):
    """`buckets` is the length in buckets of `timeframe`; `retry_at` is null when it may be tried now."""

    id: int
    exchange: str
    symbol: str
    timeframe: str
    start: Instant
    end: Instant
    buckets: int
    state: str
    cause: str
    reason: str
    attempts: int
    found_at: Instant
    retry_at: Instant | None
    repaired_at: Instant | None
    simulated: bool


class GapsMeta(msgspec.Struct, frozen=True):
    as_of: Instant
    simulated: bool


class Gaps(msgspec.Struct, frozen=True):
    data: list[GapRecord]
    next_cursor: str | None
    meta: GapsMeta


class PlainGap(msgspec.Struct, frozen=True):
    """A gap as the table `candle_gaps` of another service has it, and what became of it."""

    id: int
    exchange: str
    symbol: str
    timeframe: str
    gap_start: Instant
    gap_end: Instant
    detected_at: Instant
    repaired_at: Instant | None
    state: str
    reason: str


PlainGaps = list[PlainGap]


def plain_gaps_body(gaps: Sequence[Gap]) -> str:
    """The whole answer of /gaps: a bare list."""
    return msgspec.json.encode([_plain(gap) for gap in gaps]).decode()


def gaps_body(
    gaps: Sequence[Gap], simulated: frozenset[tuple[str, str]], next_cursor: str | None, as_of: datetime
) -> str:
    """The whole answer of /v1/gaps; `simulated` are the keys of the instruments that are."""
    records = [_record(gap, (gap.exchange, gap.symbol) in simulated) for gap in gaps]
    meta = GapsMeta(rfc3339(as_of), any(record.simulated for record in records))
    return msgspec.json.encode(Gaps(records, next_cursor, meta)).decode()


def gap_document(gap: Gap, *, simulated: bool) -> bytes:
    """One record as the live stream tells it."""
    return msgspec.json.encode(_record(gap, simulated))


def _record(gap: Gap, simulated: bool) -> GapRecord:
    return GapRecord(
        id=gap.id,
        exchange=gap.exchange,
        symbol=gap.symbol,
        timeframe=gap.timeframe.name,
        start=rfc3339(gap.span.start),
        end=rfc3339(gap.span.end),
        buckets=(gap.span.end - gap.span.start) // gap.timeframe.duration,
        state=gap.state.value,
        cause=gap.cause,
        reason=gap.reason,
        attempts=gap.attempts,
        found_at=rfc3339(gap.found_at),
        retry_at=_time(gap.retry_at),
        repaired_at=_time(gap.repaired_at),
        simulated=simulated,
    )


def _plain(gap: Gap) -> PlainGap:
    return PlainGap(
        id=gap.id,
        exchange=gap.exchange,
        symbol=gap.symbol,
        timeframe=gap.timeframe.name,
        gap_start=rfc3339(gap.span.start),
        gap_end=rfc3339(gap.span.end),
        detected_at=rfc3339(gap.found_at),
        repaired_at=_time(gap.repaired_at),
        state=gap.state.value,
        reason=gap.reason,
    )


def _time(time: datetime | None) -> str | None:
    return rfc3339(time) if time else None
