"""Alerts as rows. The columns are those of migrations/."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from marketdata.model.alert import Alert, AlertState, Severity
from marketdata.model.timeframe import timeframe_of_minutes
from marketdata.store.wire import in_utc


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
        )
