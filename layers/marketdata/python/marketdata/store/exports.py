"""What a store knows of exports: a queue that a worker leases from, and what became of each. Part of Store."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from marketdata.model.export import Export, ExportProgress, ExportQuestion, ExportState

WAITING_MAX = 100
WAITING_OF_CALLER_MAX = 10
ATTEMPTS_MAX = 3


class ExportStore(Protocol):
    """Exports by id."""

    def order_export(
        self, id: str, caller: str, question: ExportQuestion, *, now: datetime, expires_at: datetime
    ) -> Export | None:
        """Put an export into the queue; None if too many wait. The same id again is the same export, as it is now."""
        ...

    def find_export(self, id: str) -> Export | None:
        """The export of that id."""
        ...

    def claim_export(self, worker: str, *, now: datetime, lease_seconds: float) -> Export | None:
        """Lease the oldest that waits, or whose lease ran out; None if nothing waits.

        One that was begun ATTEMPTS_MAX times without getting on, and never ended, has failed.
        """
        ...

    def note_export(self, export: Export, progress: ExportProgress) -> bool:
        """Write how far an export that is still held has come; False if its lease went to another."""
        ...

    def finish_export(
        self, export: Export, *, now: datetime, state: ExportState, result: Mapping[str, Any], error: str = ""
    ) -> bool:
        """End an export that is still held, or (queued) give it back; False if its lease went to another.

        Saying the same again is True.
        """
        ...

    def expired_exports(self, *, now: datetime) -> list[str]:
        """The ids of some whose time is over, at most a hundred."""
        ...

    def forget_exports(self, ids: Sequence[str], *, now: datetime) -> None:
        """Forget those of them whose time is over."""
        ...
