"""Snapshots in the in-memory store."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from marketdata.clock import Clock
from marketdata.compute.merge_snapshots import merge_snapshots
from marketdata.model.snapshot import Snapshot
from marketdata.store.limits import ROWS_MAX, check_limit, snapshot_refused
from marketdata.store.memory_base import refuse
from marketdata.store.memory_news import MemoryNews
from marketdata.store.sorted_map import SortedMap


class MemorySnapshots(MemoryNews):
    """The part of the Store protocol that is about whole assets."""

    def __init__(self, clock: Clock | None) -> None:
        super().__init__(clock)
        self._snapshots: defaultdict[tuple[str, str, str], SortedMap[Snapshot]] = defaultdict(SortedMap)

    def put_snapshots(self, snapshots: Sequence[Snapshot]) -> int:
        """See Store. Raises: StoreError for one that cannot be; then nothing was written."""
        refuse("put_snapshots", map(snapshot_refused, snapshots))
        with self._lock:
            before = {one.key: self._of(one).get(one.minute) for one in snapshots}
            for one in snapshots:
                known = self._of(one).get(one.minute)
                self._of(one).put(one.minute, merge_snapshots(known, one) if known else one)
            return sum(self._snapshots[key[:3]].get(key[3]) != known for key, known in before.items())

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
        """See Store. Raises: RequestInvalid for a limit out of bounds."""
        check_limit(limit)
        with self._lock:
            held = self._snapshots[source, asset, quote]
            return list(held.between(start, end, limit=limit, newest_first=newest_first))

    def prune_snapshots(self, *, before: datetime) -> int:
        """See Store."""
        with self._lock:
            old = sorted(
                (one for held in self._snapshots.values() for one in held.between(None, before)),
                key=lambda one: one.minute,
            )
            for one in old[:ROWS_MAX]:
                self._of(one).remove(one.minute)
            return len(old[:ROWS_MAX])

    def _of(self, one: Snapshot) -> SortedMap[Snapshot]:
        return self._snapshots[one.source, one.asset, one.quote]
