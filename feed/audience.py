"""All clients that want the same: they are woken together, and what they get is joined once for all of them."""

import asyncio
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from feed.ring import Event, Ring

if TYPE_CHECKING:
    from feed.subscription import Subscription

_READ_EVENTS_MAX = 256


@dataclass(frozen=True, slots=True)
class Interest:
    """What a client wants; None means all.

    An event without a symbol concerns every symbol of its exchange, and one without an exchange every exchange.
    """

    exchange: str | None
    symbols: frozenset[str] | None
    kinds: frozenset[str] | None

    def covers(self, kind: str, exchange: str, symbol: str) -> bool:
        """Whether an event about this is wanted."""
        return (
            (self.exchange is None or not exchange or exchange == self.exchange)
            and (self.symbols is None or not symbol or symbol in self.symbols)
            and (self.kinds is None or kind in self.kinds)
        )


class Audience:
    """The clients of one interest, and how far the ring has gone for them."""

    def __init__(self, interest: Interest, ring: Ring) -> None:
        self.interest = interest
        self.members: set[Subscription] = set()
        self.news = asyncio.Event()
        # What the ring held before the first member came was not sorted by interest: any of it may be theirs.
        self.newest = ring.head
        self.lost = ring.lost
        self._ring = ring
        self._last_read: tuple[tuple[int, int, int], tuple[bytes, int]] | None = None

    def read(self, position: int) -> tuple[bytes, int]:
        """The next write for a member at `position` (nothing: empty), and its position after it."""
        if self.newest <= position:
            return b"", self._ring.head
        asked = (position, self._ring.head, self._ring.breaks)
        if self._last_read is None or self._last_read[0] != asked:
            self._last_read = (asked, self._join_after(position))
        return self._last_read[1]

    def owes_more_than(self, events_max: int, position: int) -> bool:
        """Whether a member at `position` has more than `events_max` events still to read."""
        if self._ring.head - position <= events_max:
            return False
        owed = filter(self._wants, self._ring.after(position))
        return next(islice(owed, events_max, None), None) is not None

    def begin(self) -> None:
        """The ring went on elsewhere: nothing of before can be told any more."""
        self.newest = self._ring.head
        self.lost = self._ring.lost

    def announce(self) -> None:
        """Wake every member who waits."""
        self.news.set()
        self.news = asyncio.Event()

    def _join_after(self, position: int) -> tuple[bytes, int]:
        events = list(islice(filter(self._wants, self._ring.after(position)), _READ_EVENTS_MAX))
        reached = events[-1].sequence if len(events) == _READ_EVENTS_MAX else self._ring.head
        return b"".join(event.encoded for event in events), reached

    def _wants(self, event: Event) -> bool:
        return self.interest.covers(event.kind, event.exchange, event.symbol)
