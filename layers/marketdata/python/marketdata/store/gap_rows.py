"""Gaps of the ledger: rows and columns out. The columns are those of migrations/."""

from datetime import datetime

import msgspec

from marketdata.model.gap import Gap, GapState
from marketdata.model.span import Span
from marketdata.model.timeframe import timeframe_named
from marketdata.store.wire import in_utc, require_one_length


class GapRow(msgspec.Struct):
    """A row of `gaps_v`."""

    id: int
    exchange: str
    symbol: str
    timeframe: str
    start: datetime
    end: datetime
    state: GapState
    cause: str
    found_at: datetime
    attempts: int
    worker: str | None
    lease_until: datetime | None
    retry_at: datetime | None
    repaired_at: datetime | None
    reason: str

    @property
    def gap(self) -> Gap:
        """The value that the row stands for."""
        id_, exchange, symbol, timeframe, start, end, *others = (in_utc(one) for one in msgspec.structs.astuple(self))
        return Gap(id_, exchange, symbol, timeframe_named(timeframe), Span(start, end), *others)


class FoundGaps(msgspec.Struct):
    """The answer of `find_gaps_v1`: one list a column, all of one length; times in microseconds."""

    instrument_id: list[int]
    start: list[int]
    end: list[int]

    def __post_init__(self) -> None:
        require_one_length(self)
