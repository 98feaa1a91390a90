"""Exports in the in-memory store."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from marketdata.clock import Clock
from marketdata.model.export import Export, ExportProgress, ExportQuestion, ExportState
from marketdata.store.exports import ATTEMPTS_MAX, WAITING_MAX, WAITING_OF_CALLER_MAX
from marketdata.store.memory_access import MemoryAccess

_WAITING = (ExportState.QUEUED, ExportState.RUNNING)


class MemoryExports(MemoryAccess):
    """The part of the Store protocol that is about exports."""

    def __init__(self, clock: Clock | None) -> None:
        super().__init__(clock)
        self._exports: dict[str, Export] = {}
        self._export_leases: dict[str, datetime] = {}

    def order_export(
        self, id: str, caller: str, question: ExportQuestion, *, now: datetime, expires_at: datetime
    ) -> Export | None:
        """See Store."""
        with self._lock:
            waiting = [one for one in self._exports.values() if one.state in _WAITING]
            of_caller = sum(one.caller == caller for one in waiting)
            full = len(waiting) >= WAITING_MAX or of_caller >= WAITING_OF_CALLER_MAX
            if full and id not in self._exports:
                return None
            ordered = Export(id, caller, question, ExportState.QUEUED, now, expires_at)
            return self._exports.setdefault(id, ordered)

    def find_export(self, id: str) -> Export | None:
        """See Store."""
        with self._lock:
            return self._exports.get(id)

    def claim_export(self, worker: str, *, now: datetime, lease_seconds: float) -> Export | None:
        """See Store."""
        with self._lock:
            for one in self._abandoned(now):
                if one.fruitless_attempts >= ATTEMPTS_MAX:
                    error = f"it was begun {one.attempts} times and never ended"
                    self._exports[one.id] = replace(one, state=ExportState.FAILED, finished_at=now, error=error)
            queued = [one for one in self._exports.values() if one.state is ExportState.QUEUED]
            found = sorted([*queued, *self._abandoned(now)], key=lambda one: (one.created_at, one.id))
            if not found:
                return None
            claimed = replace(found[0], state=ExportState.RUNNING, worker=worker, attempts=found[0].attempts + 1)
            self._exports[claimed.id] = claimed
            self._export_leases[claimed.id] = now + timedelta(seconds=lease_seconds)
            return claimed

    def note_export(self, export: Export, progress: ExportProgress) -> bool:
        """See Store."""
        with self._lock:
            held = self._exports.get(export.id)
            if held is None or (held.worker, held.attempts) != (export.worker, export.attempts):
                return False
            if held.state is ExportState.RUNNING:
                self._exports[export.id] = replace(held, result={"progress": asdict(progress)})
            return held.state is ExportState.RUNNING

    def finish_export(
        self, export: Export, *, now: datetime, state: ExportState, result: Mapping[str, Any], error: str = ""
    ) -> bool:
        """See Store."""
        with self._lock:
            held = self._exports.get(export.id)
            if held is None or (held.worker, held.attempts) != (export.worker, export.attempts):
                return False
            if held.state is ExportState.RUNNING:
                ended = None if state is ExportState.QUEUED else now
                done = replace(held, state=state, result=dict(result), error=error[:300], finished_at=ended)
                self._exports[export.id] = done
            return self._exports[export.id].state is state

    def expired_exports(self, *, now: datetime) -> list[str]:
        """See Store."""
        with self._lock:
            running = {one.id for one in self._exports.values() if one.state is ExportState.RUNNING}
            held = running - {one.id for one in self._abandoned(now)}
            old = [one for one in self._exports.values() if one.expires_at <= now and one.id not in held]
            return [one.id for one in sorted(old, key=lambda one: one.expires_at)][:100]

    def forget_exports(self, ids: Sequence[str], *, now: datetime) -> None:
        """See Store."""
        with self._lock:
            for id in ids:
                if id in self._exports and self._exports[id].expires_at <= now:
                    del self._exports[id]

    def _abandoned(self, now: datetime) -> list[Export]:
        running = (one for one in self._exports.values() if one.state is ExportState.RUNNING)
        return [one for one in running if self._export_leases[one.id] <= now]
