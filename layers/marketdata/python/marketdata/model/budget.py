"""What one exchange lets all of us ask, together."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Turn:
    """When reserved requests may be made.

    The first in `starts_in` seconds (below zero: so much of a burst is left), each other one a pace later. While
    `blocked_seconds` is above zero the exchange wants silence for so long, and nothing was reserved.
    """

    starts_in: float
    blocked_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ExchangeLimit:
    """An exchange asked everybody for silence until `blocked_until`; `reason` is what it said."""

    exchange: str
    blocked_until: datetime
    reason: str
