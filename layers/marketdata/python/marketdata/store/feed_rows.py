"""What feeds say, as rows. The columns are those of migrations/."""

from dataclasses import asdict
from datetime import datetime

import msgspec

from marketdata.compute.continuity import Contiguity
from marketdata.model.times import rfc3339
from marketdata.store.answers import FeedStatus, TroubledInstrument
from marketdata.store.wire import Row, in_utc


class FeedRow(msgspec.Struct):
    """A row of `feeds`: the fields of FeedStatus, in their order."""

    exchange: str
    feed_id: str
    state: str
    started_at: datetime
    updated_at: datetime
    last_message_at: datetime | None
    last_trade_at: datetime | None
    symbols: int
    trades: int
    reconnects: int
    malformed: int
    spooled: int
    detail: str
    contiguity: Contiguity
    missing: int
    troubled: tuple[TroubledInstrument, ...]
    spool_max: int
    stored_at: datetime | None

    @property
    def status(self) -> FeedStatus:
        """The value that the row stands for."""
        return FeedStatus(*(in_utc(value) for value in msgspec.structs.astuple(self)))


def feed_row(status: FeedStatus) -> Row:
    """A row for `feeds`."""
    return {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in asdict(status).items()}
