"""A clock for a simulated market that runs faster than ours: an hour of it fits in minutes. Used by the kill rig."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta


class FastClock:
    """Starts at `start` and passes `speed` seconds in each of `monotonic`'s; it never jumps."""

    def __init__(self, start: datetime, speed: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        assert speed > 0, speed
        self._start = start
        self._speed = speed
        self._monotonic = monotonic
        self._begun = monotonic()

    def now(self) -> datetime:
        """The market's time, aware UTC."""
        return self._start + timedelta(seconds=(self._monotonic() - self._begun) * self._speed)
