"""Time as a value that is passed in: the system's clock, and one that a test moves."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

Pause = Callable[[float], object]
"""Waits for so many seconds; says true, then or sooner, where the process is about to end: nothing is to be begun."""


class Clock(Protocol):
    """What time it is."""

    def now(self) -> datetime:
        """The current time, aware UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The current time, aware UTC."""
        return datetime.now(UTC)


class FakeClock:
    """A clock that stands still until told to move."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """The time it was last moved to."""
        return self._now

    def advance(self, step: timedelta) -> None:
        """Move forward by `step`."""
        self._now += step
