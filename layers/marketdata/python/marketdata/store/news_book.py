"""Who changed last, for the in-memory store; the same as `changed_in` of the database's rows (migrations/).

Not safe for threads: MemoryStore holds the lock.
"""

from collections.abc import Hashable
from itertools import count, islice
from typing import Generic, TypeVar

Subject = TypeVar("Subject", bound=Hashable)


class NewsBook(Generic[Subject]):
    """Each subject once, in the order of its last change; changes are numbered from 1."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._latest: dict[Subject, int] = {}
        self.newest = 0
        """The number of the newest change; 0 before the first."""

    def note(self, subject: Subject) -> None:
        """It changed now."""
        self._latest.pop(subject, None)
        self.newest = self._latest[subject] = next(self._numbers)

    def forget(self, subject: Subject) -> None:
        """It is no more."""
        self._latest.pop(subject, None)

    def after(self, number: int, limit: int) -> list[tuple[int, Subject]]:
        """Who changed after that number, with the number of the change; the oldest change first."""
        changed = ((at, subject) for subject, at in self._latest.items() if at > number)
        return list(islice(changed, limit))
