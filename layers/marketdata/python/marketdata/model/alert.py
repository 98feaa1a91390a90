"""An alert: something a person should know, from when it fires until it is resolved."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from marketdata.model.timeframe import Timeframe


class AlertState(StrEnum):
    """Whether it still holds."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Severity(StrEnum):
    """How soon somebody should look, from least to most."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Its place in that order."""
        return list(Severity).index(self)


class Told(StrEnum):
    """The last that was written to targets of an alert; silenced: it ended before anybody needed to hear of it."""

    FIRING = "firing"
    FLAPPING = "flapping"
    RESOLVED = "resolved"
    SILENCED = "silenced"


GAP_UNRECOVERABLE = "gap.unrecoverable"
"""The rule that speaks when a gap is given up, in the transaction that gives it up."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One row of the outbox.

    `dedup_key` names the subject and the rule, and no measured value: of equal ones at most one fires. `context` has
    the values. `exchange`, `symbol` and `timeframe` are the subject; None where the rule is not about one. It holds
    since `started_at`, fired at `created_at`, and no longer held at `resolved_at`. `flapping`: it comes and goes, which
    is one alert. What was `told` of it, and when, lags behind its state until a message is in the outbox. `number`
    counts alerts, so that pages go on where they ended.
    """

    id: UUID
    dedup_key: str
    rule: str
    severity: Severity
    state: AlertState
    summary: str
    created_at: datetime
    exchange: str | None = None
    symbol: str | None = None
    timeframe: Timeframe | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    resolved_at: datetime | None = None
    started_at: datetime | None = None
    flapping: bool = False
    told: Told | None = None
    told_at: datetime | None = None
    number: int = 0

    @property
    def began(self) -> datetime:
        """Since when it holds, or when it fired where nobody knows."""
        return self.started_at or self.created_at

    @property
    def lags(self) -> bool:
        """Whether what was told of it is not what it is."""
        if self.state is AlertState.RESOLVED:
            return self.told not in (Told.RESOLVED, Told.SILENCED)
        return self.told is None or (self.flapping and self.told is not Told.FLAPPING)
