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


GAP_UNRECOVERABLE = "gap.unrecoverable"
"""The rule that speaks when a gap is given up, in the transaction that gives it up."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One row of the outbox.

    `dedup_key` names the subject and the rule, and no measured value: of equal ones at most one fires. `context` has
    the values. `exchange`, `symbol` and `timeframe` are the subject; None where the rule is not about one.
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
