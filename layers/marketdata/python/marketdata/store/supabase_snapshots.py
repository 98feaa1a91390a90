"""Snapshots in the Supabase store: the arguments and answers of the database's functions for them."""

from collections.abc import Sequence
from datetime import datetime

from marketdata.compute.merge_snapshots import merge_snapshots
from marketdata.model.snapshot import Snapshot
from marketdata.store.batches import batches
from marketdata.store.limits import check_limit
from marketdata.store.patient_client import PatientClient
from marketdata.store.snapshot_rows import SnapshotColumns, snapshot_row
from marketdata.store.wire import time_text


class SupabaseSnapshots:
    """The part of the Store protocol that is about whole assets."""

    _client: PatientClient

    def put_snapshots(self, snapshots: Sequence[Snapshot]) -> int:
        """See Store. An answer that was lost on the way is asked for again; what changed at first is not counted."""
        merged: dict[tuple[object, ...], Snapshot] = {}
        for one in snapshots:
            merged[one.key] = merge_snapshots(merged[one.key], one) if one.key in merged else one
        rows = [snapshot_row(merged[key]) for key in sorted(merged)]
        calls = (
            self._client.call("put_snapshots", "put_snapshots_v1", {"p_rows": batch}, int) for batch in batches(rows)
        )
        return sum(calls)

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
        """See Store."""
        check_limit(limit)
        arguments = {
            "p_source": source,
            "p_asset": asset,
            "p_quote": quote,
            "p_start": time_text(start),
            "p_end": time_text(end),
            "p_limit": limit,
            "p_newest_first": newest_first,
        }
        columns = self._client.call("snapshots", "get_snapshots_v1", arguments, SnapshotColumns)
        return columns.snapshots(source, asset, quote)

    def prune_snapshots(self, *, before: datetime) -> int:
        """See Store."""
        return self._client.call("prune_snapshots", "prune_snapshots_v1", {"p_before": time_text(before)}, int)
