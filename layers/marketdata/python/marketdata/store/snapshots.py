"""What a store knows of whole assets, by sources that look at many exchanges. Part of Store.

Apart from the market on purpose: nothing that is read or written here meets a candle.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from marketdata.model.snapshot import Snapshot


class SnapshotStore(Protocol):
    """One snapshot of each source, asset, quote and minute."""

    def put_snapshots(self, snapshots: Sequence[Snapshot]) -> int:
        """Merge snapshots as compute/merge_snapshots says, in any order, any number of times; how many rows changed."""
        ...

    def snapshots(
        self,
        source: str,
        asset: str,
        quote: str,
        *,
        start: datetime | None,
        end: datetime | None,
        limit: int,
        newest_first: bool = False,
    ) -> list[Snapshot]:
        """At most `limit` with `start <= minute < end`, by time; with `newest_first` the newest, in descending order.

        Below `limit` means that there are no more. At most 10,000.
        """
        ...

    def prune_snapshots(self, *, before: datetime) -> int:
        """Forget those of minutes before that time, at most 10,000, the oldest first; how many."""
        ...
