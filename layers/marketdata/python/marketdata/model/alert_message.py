"""A message of the outbox: what one target is to be told, and what became of every try."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from marketdata.model.alert import Severity


class MessageState(StrEnum):
    """Waiting for its next try, held for the digest after quiet hours, or at an end."""

    WAITING = "waiting"
    HELD = "held"
    DELIVERED = "delivered"
    DEAD = "dead"
    """Every try failed; `replay` lets it wait again."""
    DIGESTED = "digested"
    """It went into a digest."""


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """One message. `id` is its webhook-id, the same at each try.

    `notice` is what is told, whatever the target's shape. `queue`: of messages with the same one, the oldest goes first
    (empty: in any order). `attempt` counts claims: (worker, attempt) tells one lease from every other.
    """

    id: UUID
    target: str
    notice: Mapping[str, Any]
    severity: Severity
    created_at: datetime
    next_at: datetime
    queue: str = ""
    state: MessageState = MessageState.WAITING
    attempt: int = 0
    worker: str | None = None
    lease_until: datetime | None = None
    last_status: int | None = None
    last_error: str = ""
    delivered_at: datetime | None = None
    tries: tuple["Try", ...] = ()


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt to deliver: `status` is the receiver's answer, None if there was none; `error` why it failed."""

    attempt: int
    at: datetime
    status: int | None = None
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a message after a try. `next_at`: when to try again; None: it has ended.

    `disables` the target with this reason, if any.
    """

    state: MessageState
    tried: Try
    next_at: datetime | None = None
    disables: str = ""


@dataclass(frozen=True, slots=True)
class Silence:
    """A time in which alerts that match are not told; None matches all. `reason`: maintenance, or why it is muted."""

    id: UUID
    starts_at: datetime
    ends_at: datetime
    reason: str
    rule: str | None = None
    exchange: str | None = None
    symbol: str | None = None

    def covers(self, rule: str, exchange: str | None, symbol: str | None, now: datetime) -> bool:
        """Whether such an alert is silenced now."""
        if not self.starts_at <= now < self.ends_at:
            return False
        wanted = ((self.rule, rule), (self.exchange, exchange), (self.symbol, symbol))
        return all(asked is None or asked == given for asked, given in wanted)


@dataclass(frozen=True, slots=True)
class TargetTrouble:
    """A target that does not hear: messages tried in vain `attempts` times or given up, or why it is disabled."""

    target: str
    waiting: int = 0
    dead: int = 0
    attempts: int = 0
    disabled_reason: str = ""
    since: datetime | None = field(default=None)
