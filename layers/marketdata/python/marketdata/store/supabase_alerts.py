"""The desk and the outbox of alerts in the Supabase store: the arguments and answers of the database's functions.

What alerts are made of is imported when they are first asked for: the store is part of every cold start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from marketdata.errors import StoreError
from marketdata.store.limits import check_limit, target_refused
from marketdata.store.wire import time_text

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from marketdata.compute.alert_facts import GapFact
    from marketdata.model.alert import Alert
    from marketdata.model.alert_message import AlertMessage, MessageState, Silence, Verdict
    from marketdata.model.alert_rule import MarketRule
    from marketdata.model.alert_target import Target
    from marketdata.model.span import Span
    from marketdata.store.alerts import AlertChanges, AlertDesk, AlertQuestion, MissedHistory
    from marketdata.store.patient_client import PatientClient


class SupabaseAlerts:
    """The part of the Store protocol that is about alerts beyond the list of them."""

    _client: PatientClient

    def alert_desk(self, *, now: datetime) -> AlertDesk:
        """See Store."""
        from marketdata.store.alert_rows import DeskRow  # noqa: PLC0415

        return self._client.call("alert_desk", "get_alert_desk_v1", {"p_now": time_text(now)}, DeskRow).desk

    def commit_alerts(self, version: int, changes: AlertChanges, *, now: datetime) -> bool:
        """See Store. An answer that was lost on the way is asked for again, and then is False though all is written."""
        from marketdata.store.alert_rows import changes_row  # noqa: PLC0415

        arguments = {"p_version": version, "p_now": time_text(now), "p_changes": changes_row(changes)}
        return self._client.call("commit_alerts", "commit_alerts_v1", arguments, bool)

    def find_alerts(self, question: AlertQuestion) -> list[Alert]:
        """See Store."""
        from marketdata.store.alert_rows import AlertRow  # noqa: PLC0415

        check_limit(question.limit)
        arguments = {
            "p_states": question.states and sorted(question.states),
            "p_severities": question.severities and sorted(question.severities),
            "p_rule": question.rule,
            "p_exchange": question.exchange,
            "p_symbol": question.symbol,
            "p_before": question.before,
            "p_limit": question.limit,
        }
        return [row.alert for row in self._client.call("find_alerts", "get_alerts_v2", arguments, list[AlertRow])]

    def unrepaired_gaps(self, *, before: datetime) -> list[GapFact]:
        """See Store."""
        from marketdata.compute.alert_facts import GapFact  # noqa: PLC0415

        arguments = {"p_before": time_text(before)}
        return self._client.call("unrepaired_gaps", "get_unrepaired_v1", arguments, list[GapFact])

    def missed_history(self, exchange: str, symbol: str | None, span: Span) -> MissedHistory:
        """See Store."""
        from marketdata.store.alerts import MissedHistory  # noqa: PLC0415

        arguments = {
            "p_exchange": exchange,
            "p_symbol": symbol,
            "p_start": time_text(span.start),
            "p_end": time_text(span.end),
        }
        return self._client.call("missed_history", "get_recovery_v1", arguments, MissedHistory)

    def claim_messages(self, worker: str, *, now: datetime, lease_seconds: float, limit: int) -> list[AlertMessage]:
        """See Store. An answer that was lost on the way leaves a lease that ends by itself."""
        from marketdata.model.alert_message import AlertMessage  # noqa: PLC0415

        arguments = {
            "p_worker": worker,
            "p_now": time_text(now),
            "p_lease_seconds": lease_seconds,
            "p_limit": limit,
        }
        return self._client.call("claim_messages", "claim_messages_v1", arguments, list[AlertMessage])

    def record_try(self, message: AlertMessage, verdict: Verdict) -> bool:
        """See Store."""
        tried = verdict.tried
        arguments = {
            "p_id": str(message.id),
            "p_worker": message.worker,
            "p_attempt": message.attempt,
            "p_state": verdict.state,
            "p_at": time_text(tried.at),
            "p_status": tried.status,
            "p_error": tried.error,
            "p_seconds": tried.seconds,
            "p_next_at": time_text(verdict.next_at),
            "p_disables": verdict.disables,
        }
        return self._client.call("record_try", "record_try_v1", arguments, bool)

    def alert_messages(
        self,
        *,
        alerts: Collection[UUID] | None = None,
        target: str | None = None,
        states: Collection[MessageState] | None = None,
        limit: int,
    ) -> list[AlertMessage]:
        """See Store."""
        from marketdata.model.alert_message import AlertMessage  # noqa: PLC0415

        check_limit(limit)
        arguments = {
            "p_alert_ids": None if alerts is None else sorted(str(one) for one in alerts),
            "p_target": target,
            "p_states": None if states is None else sorted(states),
            "p_limit": limit,
        }
        return self._client.call("alert_messages", "get_messages_v1", arguments, list[AlertMessage])

    def put_messages(self, messages: Sequence[AlertMessage]) -> int:
        """See Store."""
        from marketdata.store.alert_rows import message_row  # noqa: PLC0415

        arguments = {"p_messages": [message_row(one) for one in messages]}
        return self._client.call("put_messages", "put_messages_v1", arguments, int)

    def replay_messages(self, *, now: datetime, message_id: UUID | None = None, target: str | None = None) -> int:
        """See Store."""
        arguments = {
            "p_now": time_text(now),
            "p_id": None if message_id is None else str(message_id),
            "p_target": target,
        }
        return self._client.call("replay_messages", "replay_messages_v1", arguments, int)

    def put_target(self, target: Target) -> None:
        """See Store. One that cannot be is refused here: the database would quote its row, secrets and all."""
        if reason := target_refused(target):
            raise StoreError("put_target", reason)
        arguments = {"p_target": msgspec.to_builtins(target)}
        self._client.call("put_target", "put_alert_target_v1", arguments, object)

    def remove_target(self, name: str) -> bool:
        """See Store."""
        return self._client.call("remove_target", "remove_alert_target_v1", {"p_name": name}, bool)

    def put_market_rule(self, rule: MarketRule) -> None:
        """See Store."""
        arguments = {"p_rule": msgspec.to_builtins(rule)}
        self._client.call("put_market_rule", "put_market_rule_v1", arguments, object)

    def remove_market_rule(self, name: str) -> bool:
        """See Store."""
        return self._client.call("remove_market_rule", "remove_market_rule_v1", {"p_name": name}, bool)

    def put_silence(self, silence: Silence) -> None:
        """See Store."""
        arguments = {"p_silence": msgspec.to_builtins(silence)}
        self._client.call("put_silence", "put_silence_v1", arguments, object)

    def remove_silence(self, silence_id: UUID) -> bool:
        """See Store."""
        return self._client.call("remove_silence", "remove_silence_v1", {"p_id": str(silence_id)}, bool)
