"""The exchanges' budgets of the in-memory store; the same as the database's exchange_budgets (migrations/).

Not safe for threads: MemoryStore holds the lock. Times are seconds of whatever clock the caller has.
"""

from collections import defaultdict
from dataclasses import dataclass
from math import inf

from marketdata.model.budget import Turn


@dataclass(slots=True)
class _Budget:
    """When the next request is due if none is saved up, and until when the exchange wants silence."""

    next_at: float = -inf
    blocked_until: float = -inf
    reason: str = ""


class BudgetBook:
    """Budgets by exchange."""

    def __init__(self) -> None:
        self._budgets: defaultdict[str, _Budget] = defaultdict(_Budget)

    def take(
        self, exchange: str, now: float, *, per_second: float, burst: int, count: int, wait_seconds_max: float
    ) -> Turn:
        """See Store.take_requests."""
        budget = self._budgets[exchange]
        first = max(budget.next_at, budget.blocked_until, now - (burst - 1) / per_second)
        blocked = max(0.0, budget.blocked_until - now)
        if not blocked and first - now <= wait_seconds_max:
            budget.next_at = first + count / per_second
        return Turn(first - now, blocked)

    def block(self, exchange: str, until: float, reason: str) -> None:
        """See Store.block_exchange."""
        budget = self._budgets[exchange]
        if budget.blocked_until < until:
            budget.blocked_until, budget.reason = until, reason

    def blocked(self, now: float) -> list[tuple[str, float, str]]:
        """(exchange, until, reason) of those that are blocked now, by name."""
        found = sorted(self._budgets.items())
        return [(name, one.blocked_until, one.reason) for name, one in found if one.blocked_until > now]
