"""The gap ledger as clients hear it: the records of /v1/gaps."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from marketdata.model.gap import Gap
from marketdata.model.times import rfc3339


class _Gap(msgspec.Struct, frozen=True):
    """`buckets` is the length in buckets of `timeframe`; `retry_at` is null when it may be tried now."""

    id: int
    exchange: str
    symbol: str
    timeframe: str
    start: str
    end: str
    buckets: int
    state: str
    cause: str
    reason: str
    attempts: int
    found_at: str
    retry_at: str | None
    repaired_at: str | None
    simulated: bool


class _Meta(msgspec.Struct, frozen=True):
    as_of: str
    simulated: bool


class _Gaps(msgspec.Struct, frozen=True):
    data: list[_Gap]
    next_cursor: str | None
    meta: _Meta


def gaps_body(
    gaps: Sequence[Gap], simulated: frozenset[tuple[str, str]], next_cursor: str | None, as_of: datetime
) -> str:
    """The whole answer of /v1/gaps; `simulated` are the keys of the instruments that are."""
    records = [_record(gap, (gap.exchange, gap.symbol) in simulated) for gap in gaps]
    meta = _Meta(rfc3339(as_of), any(record.simulated for record in records))
    return msgspec.json.encode(_Gaps(records, next_cursor, meta)).decode()


def _record(gap: Gap, simulated: bool) -> _Gap:
    return _Gap(
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


def _time(time: datetime | None) -> str | None:
    return rfc3339(time) if time else None
