"""A gap: history of one instrument that is wanted, not held, and not known to be empty."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe


class GapState(StrEnum):
    """What became of a gap. Open and leased ones are unresolved: of one instrument and timeframe they never overlap."""

    OPEN = "open"
    LEASED = "leased"
    FILLED = "filled"
    NO_TRADES = "no_trades"
    MARKET_CLOSED = "market_closed"
    UNRECOVERABLE = "unrecoverable"

    @property
    def resolved(self) -> bool:
        """Whether nobody works on it any more."""
        return self not in UNRESOLVED


UNRESOLVED = (GapState.OPEN, GapState.LEASED)

HISTORY = "history"
"""The cause of what nobody lost: time from before an instrument was known here, ordered once."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One row of the ledger.

    `cause`: what put it there (scan, disconnect, history, operator, import, calendar). `attempts` counts leases, so
    that (worker, attempts) tells one lease from every other. `worker` leased it last, until `lease_until` if
    it still does. An open one is not leased before `retry_at` (None: at any time).
    `repaired_at` is when it was resolved. `reason` says why it is still open, or is unrecoverable.
    """

    id: int
    exchange: str
    symbol: str
    timeframe: Timeframe
    span: Span
    state: GapState
    cause: str
    found_at: datetime
    attempts: int = 0
    worker: str | None = None
    lease_until: datetime | None = None
    retry_at: datetime | None = None
    repaired_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NamedSpan:
    """Time that the ledger names, without the ledger's bookkeeping: what became of it, and why."""

    span: Span
    state: GapState
    reason: str = ""
