"""Alerts as rows, and the desk that they are worked at. The columns are those of migrations/."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from marketdata.model.alert import Alert, AlertState, Severity, Told
from marketdata.model.alert_book import Book
from marketdata.model.alert_message import AlertMessage, Silence, TargetTrouble
from marketdata.model.alert_rule import MarketRule
from marketdata.model.alert_target import Target
from marketdata.model.timeframe import timeframe_of_minutes
from marketdata.store.alerts import AlertChanges, AlertDesk
from marketdata.store.wire import Row, in_utc, time_text


class AlertRow(msgspec.Struct):
    """A row of `alerts`."""

    id: UUID
    timeframe: int | None
    created_at: datetime
    resolved_at: datetime | None
    dedup_key: str
    rule: str
    severity: Severity
    state: AlertState
    exchange: str | None
    symbol: str | None
    summary: str
    context: dict[str, Any]
    number: int
    started_at: datetime | None
    flapping: bool
    told: Told | None
    told_at: datetime | None

    @property
    def alert(self) -> Alert:
        """The value that the row stands for."""
        return Alert(
            id=self.id,
            dedup_key=self.dedup_key,
            rule=self.rule,
            severity=self.severity,
            state=self.state,
            summary=self.summary,
            created_at=in_utc(self.created_at),
            exchange=self.exchange,
            symbol=self.symbol,
            timeframe=None if self.timeframe is None else timeframe_of_minutes(self.timeframe),
            context=self.context,
            resolved_at=in_utc(self.resolved_at),
            started_at=in_utc(self.started_at),
            flapping=self.flapping,
            told=self.told,
            told_at=in_utc(self.told_at),
            number=self.number,
        )


class DeskRow(msgspec.Struct):
    """What get_alert_desk_v1 answers."""

    version: int
    book: Book
    alerts: list[AlertRow]
    targets: tuple[Target, ...]
    rules: tuple[MarketRule, ...]
    silences: tuple[Silence, ...]
    held: tuple[AlertMessage, ...]
    troubles: tuple[TargetTrouble, ...]

    @property
    def desk(self) -> AlertDesk:
        """The value that the answer stands for."""
        return AlertDesk(
            version=self.version,
            book=self.book,
            alerts=tuple(row.alert for row in self.alerts),
            targets=self.targets,
            rules=self.rules,
            silences=self.silences,
            held=self.held,
            troubles=self.troubles,
        )


def changes_row(changes: AlertChanges) -> Row:
    """What commit_alerts_v1 takes."""
    return {
        "book": msgspec.to_builtins(changes.book),
        "fired": [_fired(one) for one in changes.fired],
        "resolved": msgspec.to_builtins(changes.resolved),
        "flapped": msgspec.to_builtins(changes.flapped),
        "told": [{"id": str(alert_id), "told": told} for alert_id, told in changes.told],
        "messages": [message_row(one) for one in changes.messages],
        "digested": [str(one) for one in changes.digested],
    }


def _fired(alert: Alert) -> Row:
    return {
        "id": str(alert.id),
        "created_at": time_text(alert.created_at),
        "started_at": time_text(alert.started_at),
        "dedup_key": alert.dedup_key,
        "rule": alert.rule,
        "severity": alert.severity,
        "exchange": alert.exchange,
        "symbol": alert.symbol,
        "summary": alert.summary,
        "context": alert.context,
        "flapping": alert.flapping,
    }


def message_row(message: AlertMessage) -> Row:
    """A message that is new in the outbox."""
    return {
        "id": str(message.id),
        "target": message.target,
        "state": message.state,
        "severity": message.severity,
        "queue": message.queue,
        "notice": dict(message.notice),
        "alert_ids": [one["alert_id"] for one in message.notice["alerts"]],
        "created_at": time_text(message.created_at),
        "next_at": time_text(message.next_at),
    }
