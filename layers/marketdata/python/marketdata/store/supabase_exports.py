"""Exports in the Supabase store: the arguments and answers of the database's functions for them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from marketdata.model.export import Export, ExportProgress, ExportQuestion, ExportState
from marketdata.store.exports import ATTEMPTS_MAX, WAITING_MAX, WAITING_OF_CALLER_MAX
from marketdata.store.patient_client import PatientClient
from marketdata.store.wire import in_utc, time_text


class SupabaseExports:
    """The part of the Store protocol that is about exports."""

    _client: PatientClient

    def order_export(
        self, id: str, caller: str, question: ExportQuestion, *, now: datetime, expires_at: datetime
    ) -> Export | None:
        """See Store."""
        asked = {
            "exchange": question.exchange,
            "symbol": question.symbol,
            "timeframe": question.timeframe,
            "start": time_text(question.start),
            "end": time_text(question.end),
        }
        arguments = {
            "p_id": id,
            "p_caller": caller,
            "p_question": asked,
            "p_now": time_text(now),
            "p_expires_at": time_text(expires_at),
            "p_waiting_max": WAITING_MAX,
            "p_waiting_of_caller_max": WAITING_OF_CALLER_MAX,
        }
        return self._export("order_export", "order_export_v1", arguments)

    def find_export(self, id: str) -> Export | None:
        """See Store."""
        return self._export("find_export", "get_export_v1", {"p_id": id})

    def claim_export(self, worker: str, *, now: datetime, lease_seconds: float) -> Export | None:
        """See Store. An answer that was lost on the way leaves a lease that nobody has, until it ends."""
        arguments = {
            "p_worker": worker,
            "p_now": time_text(now),
            "p_lease_seconds": lease_seconds,
            "p_attempts_max": ATTEMPTS_MAX,
        }
        return self._export("claim_export", "claim_export_v2", arguments)

    def note_export(self, export: Export, progress: ExportProgress) -> bool:
        """See Store."""
        arguments = {
            "p_id": export.id,
            "p_worker": export.worker,
            "p_attempts": export.attempts,
            "p_progress": asdict(progress),
        }
        return self._client.call("note_export", "note_export_v1", arguments, bool)

    def finish_export(
        self, export: Export, *, now: datetime, state: ExportState, result: Mapping[str, Any], error: str = ""
    ) -> bool:
        """See Store."""
        arguments = {
            "p_id": export.id,
            "p_worker": export.worker,
            "p_attempts": export.attempts,
            "p_state": state,
            "p_result": dict(result),
            "p_error": error,
            "p_now": time_text(now),
        }
        return self._client.call("finish_export", "finish_export_v1", arguments, bool)

    def expired_exports(self, *, now: datetime) -> list[str]:
        """See Store."""
        return self._client.call("expired_exports", "get_expired_exports_v1", {"p_now": time_text(now)}, list[str])

    def forget_exports(self, ids: Sequence[str], *, now: datetime) -> None:
        """See Store."""
        arguments = {"p_ids": list(ids), "p_now": time_text(now)}
        self._client.call("forget_exports", "forget_exports_v1", arguments, object)

    def _export(self, operation: str, function: str, arguments: Mapping[str, Any]) -> Export | None:
        found = self._client.call(operation, function, arguments, list[Export])
        return next((_in_utc(one) for one in found), None)


def _in_utc(export: Export) -> Export:
    question = replace(export.question, start=in_utc(export.question.start), end=in_utc(export.question.end))
    return replace(
        export,
        question=question,
        created_at=in_utc(export.created_at),
        expires_at=in_utc(export.expires_at),
        finished_at=in_utc(export.finished_at),
    )
