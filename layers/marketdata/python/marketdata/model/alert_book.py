"""What the state machine of alerts remembers between evaluations; one document in the store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from marketdata.model.alert import Severity


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that holds now and that somebody should know if it goes on.

    `firm`: it is past the bound that fires; otherwise only past the one that resolves. `since`: when it began, where
    the facts tell. `hold`: how long it must hold before it fires, and be gone before it is resolved.
    """

    dedup_key: str
    rule: str
    severity: Severity
    summary: str
    hold: timedelta
    exchange: str | None = None
    symbol: str | None = None
    since: datetime | None = None
    firm: bool = True
    context: Mapping[str, Any] = field(default_factory=dict)


class Standing(StrEnum):
    """How a condition stands: clear is kept for a while, so that one that comes and goes is known."""

    PENDING = "pending"
    FIRING = "firing"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class Entry:
    """One dedup key. `changes`: when it fired and was resolved lately, which tells flapping.

    While `flapping` its alert goes on firing; `toggled_at` is when the condition last came or went.
    """

    standing: Standing
    since: datetime
    clear_since: datetime | None = None
    changes: tuple[datetime, ...] = ()
    flapping: bool = False
    toggled_at: datetime | None = None
    alert_id: UUID | None = None
    hold_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class DayShare:
    """How whole the last whole day of one instrument is."""

    exchange: str
    symbol: str
    day: datetime
    coverage: float
    missing: int


@dataclass(frozen=True, slots=True)
class Book:
    """Entries by dedup key; when each group was told last; and what need not be asked for at every evaluation."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    groups: Mapping[str, datetime] = field(default_factory=dict)
    heartbeat_at: datetime | None = None
    shares: tuple[DayShare, ...] = ()
    shares_at: datetime | None = None
