"""How many requests an exchange takes from one address."""

from datetime import datetime

from marketdata.clock import Clock

_ADDRESSES_MAX = 1000


class Budgets:
    """A token bucket for each address, refilled by the clock."""

    def __init__(self, clock: Clock, per_second: float, burst: int) -> None:
        self._clock = clock
        self._per_second = per_second
        self._burst = burst
        self._tokens: dict[str, tuple[float, datetime]] = {}

    def spend(self, address: str) -> bool:
        """Whether one more request is within the budget; if so it is spent."""
        now = self._clock.now()
        tokens, since = self._tokens.pop(address, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + (now - since).total_seconds() * self._per_second)
        allowed = tokens >= 1.0
        # Put back last: the first one in the dictionary is the address that has been quiet for longest.
        self._tokens[address] = (tokens - allowed, now)
        if len(self._tokens) > _ADDRESSES_MAX:
            del self._tokens[next(iter(self._tokens))]
        return allowed
