"""A dictionary that can be read in key order between two bounds; the in-memory store's table."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from itertools import islice
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class SortedMap(Generic[Value]):
    """Values by key; keys are all of one ordered kind. Not safe for threads: its owner holds the lock."""

    def __init__(self) -> None:
        self._keys: list[Any] = []
        self._values: dict[Any, Value] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def get(self, key: Any) -> Value | None:
        """The value of `key`, or None."""
        return self._values.get(key)

    def put(self, key: Any, value: Value) -> None:
        """Insert or replace; cheap at the end, where time usually arrives."""
        if key not in self._values:
            insort(self._keys, key)
        self._values[key] = value

    def remove(self, key: Any) -> None:
        """Forget `key`, which must be there."""
        del self._values[key]
        del self._keys[bisect_left(self._keys, key)]

    def between(
        self, start: Any | None, end: Any | None, *, limit: int | None = None, newest_first: bool = False
    ) -> Iterator[Value]:
        """At most `limit` values with `start <= key < end`, in key order, or backwards from the end."""
        first = 0 if start is None else bisect_left(self._keys, start)
        after = len(self._keys) if end is None else max(first, bisect_left(self._keys, end))
        places = range(first, after)
        chosen = islice(reversed(places) if newest_first else places, limit)
        return (self._values[self._keys[place]] for place in chosen)
