"""What a store does with alerts beyond the list of them. Part of Store.

What an evaluation decides is written whole or not at all, and only over the book that it read; a message is leased by
one deliverer at a time, and what became of an attempt is written for its lease holder alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    # For annotations alone: the store is part of every cold start, and alerts of hardly any.
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


class AlertStore(Protocol):
    """The state machine's book, targets, users' rules, silences, and messages."""

    def alert_desk(self, *, now: datetime) -> AlertDesk:
        """Everything that an evaluation needs, of one moment. At most 1,000 alerts that lag, oldest first."""
        ...

    def commit_alerts(self, version: int, changes: AlertChanges, *, now: datetime) -> bool:
        """Write what was decided over the book of that version, all of it; False if it has another: nothing changed."""
        ...

    def find_alerts(self, question: AlertQuestion) -> list[Alert]:
        """At most `limit` alerts, newest written first; below `limit` means no more. At most 10,000."""
        ...

    def unrepaired_gaps(self, *, before: datetime) -> list[GapFact]:
        """The unresolved gaps found before that time, by instrument; ordered history is not counted."""
        ...

    def missed_history(self, exchange: str, symbol: str | None, span: Span) -> MissedHistory:
        """What became of the gaps of a time, of a symbol or of the whole exchange."""
        ...

    def claim_messages(self, worker: str, *, now: datetime, lease_seconds: float, limit: int) -> list[AlertMessage]:
        """Lease messages whose time has come, at most one a target, oldest first; each lease is an attempt.

        None of a target that is disabled or at work on another; of a queue only the oldest. No two workers are ever
        given the same message while a lease holds.
        """
        ...

    def record_try(self, message: AlertMessage, verdict: Verdict) -> bool:
        """Write what became of the attempt that `message` was leased for; False when the lease was lost.

        Saying the same again is True and changes nothing.
        """
        ...

    def alert_messages(
        self,
        *,
        alerts: Collection[UUID] | None = None,
        target: str | None = None,
        states: Collection[MessageState] | None = None,
        limit: int,
    ) -> list[AlertMessage]:
        """At most `limit` messages with their tries, newest first; None asks for all. At most 10,000."""
        ...

    def put_messages(self, messages: Sequence[AlertMessage]) -> int:
        """Put messages into the outbox that tell of no change of an alert; how many are new."""
        ...

    def replay_messages(self, *, now: datetime, message_id: UUID | None = None, target: str | None = None) -> int:
        """Let messages that were given up wait again, from their first try; how many, at most 1,000.

        One that was delivered is sent again only where it is named. Its id stays.
        """
        ...

    def put_target(self, target: Target) -> None:
        """Add a target or replace the one of that name."""
        ...

    def remove_target(self, name: str) -> bool:
        """Remove a target and give up what waits for it; False if there is none."""
        ...

    def put_market_rule(self, rule: MarketRule) -> None:
        """Add a user's rule or replace the one of that name."""
        ...

    def remove_market_rule(self, name: str) -> bool:
        """Remove a user's rule; False if there is none."""
        ...

    def put_silence(self, silence: Silence) -> None:
        """Silence alerts for a time."""
        ...

    def remove_silence(self, silence_id: UUID) -> bool:
        """End a silence; False if there is none."""
        ...
