"""Snapshots: rows in, columns out. The columns are those of migrations/."""

from decimal import Decimal

import msgspec

from marketdata.model.snapshot import Snapshot
from marketdata.model.times import rfc3339
from marketdata.store.wire import Row, number, require_one_length, time_of


class SnapshotColumns(msgspec.Struct):
    """The answer of `get_snapshots_v1`: one list a column, all of one length."""

    observed_at: list[int]
    price: list[Decimal]
    volume_24h: list[Decimal | None]
    market_cap: list[Decimal | None]
    change_percent_24h: list[Decimal | None]

    def __post_init__(self) -> None:
        require_one_length(self)

    def snapshots(self, source: str, asset: str, quote: str) -> list[Snapshot]:
        """The values that the columns stand for, in their order."""
        rows = zip(*msgspec.structs.astuple(self), strict=True)
        return [Snapshot(source, asset, quote, time_of(time), *numbers) for time, *numbers in rows]


def snapshot_row(snapshot: Snapshot) -> Row:
    """A row for `put_snapshots_v1`; the database knows the minute."""
    return {
        "source": snapshot.source,
        "asset": snapshot.asset,
        "quote": snapshot.quote,
        "observed_at": rfc3339(snapshot.observed_at),
        "price": number(snapshot.price),
        "volume_24h": number(snapshot.volume_24h),
        "market_cap": number(snapshot.market_cap),
        "change_percent_24h": number(snapshot.change_percent_24h),
    }
