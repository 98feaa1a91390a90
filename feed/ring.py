"""The newest events of the stream, each encoded once. The hub appends; every client reads on from its own place."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

_SEQUENCE = re.compile("[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Event:
    """One published event: its place in the stream, what it is about, and the bytes that every client gets.

    `symbol` is empty when it is about a whole exchange. `conflation_key` names the thing whose newest state this is;
    None for a fact that must be told.
    """

    sequence: int
    kind: str
    exchange: str
    symbol: str
    encoded: bytes
    conflation_key: str | None


class Ring:
    """At most `events_max` events in order of sequence, only the newest of each conflation key among them.

    Clients know an event as `epoch-sequence`; a ring whose numbers start anew must have a new `epoch`.
    """

    def __init__(self, epoch: str, events_max: int) -> None:
        assert events_max > 0, events_max
        self.epoch = epoch
        self._events_max = events_max
        # Two lists side by side: places are found by bisection, and an event leaves a hole until the next compaction.
        self._sequences: list[int] = []
        self._events: list[Event | None] = []
        self._oldest = 0
        self._kept = 0
        self._newest_of_key: dict[str, int] = {}
        self.head = 0
        """The sequence of the newest event; 0 before the first."""
        self.lost = 0
        """The sequence of the newest event that there was no room for; 0 before the first."""
        self.breaks = 0
        """How often the stream went on elsewhere than where it was."""

    def __len__(self) -> int:
        return self._kept

    def event_id(self, sequence: int) -> str:
        """How clients know the event of this sequence."""
        return f"{self.epoch}-{sequence}"

    def sequence_of(self, event_id: str) -> int | None:
        """The sequence that a client means by `event_id`; None if it is not of this ring."""
        sequence = self.sequence_ahead(event_id)
        return sequence if sequence is not None and sequence <= self.head else None

    def sequence_ahead(self, event_id: str) -> int | None:
        """As `sequence_of`, also of an event that is not here yet."""
        epoch, _, digits = event_id.rpartition("-")
        return int(digits) if epoch == self.epoch and _SEQUENCE.fullmatch(digits) else None

    def begin(self, epoch: str, head: int) -> None:
        """Forget all events and go on after `head` of `epoch`; nobody can resume from before."""
        self.epoch = epoch
        self.head = self.lost = head
        self.breaks += 1
        self._sequences.clear()
        self._events.clear()
        self._newest_of_key.clear()
        self._oldest = self._kept = 0

    def append(self, event: Event) -> Event | None:
        """Keep `event` as the newest, in place of the one with its conflation key; returns the one without room."""
        assert event.sequence == self.head + 1, (event.sequence, self.head)
        self.head = event.sequence
        self._replace_older(event)
        self._sequences.append(event.sequence)
        self._events.append(event)
        self._kept += 1
        return self._drop_oldest() if self._kept > self._events_max else None

    def after(self, sequence: int) -> Iterator[Event]:
        """The events after `sequence`, oldest first."""
        for index in range(bisect_right(self._sequences, sequence), len(self._events)):
            event = self._events[index]
            if event is not None:
                yield event

    def _replace_older(self, event: Event) -> None:
        if event.conflation_key is None:
            return
        older = self._newest_of_key.get(event.conflation_key)
        if older is not None:
            self._remove(bisect_left(self._sequences, older))
        self._newest_of_key[event.conflation_key] = event.sequence

    def _drop_oldest(self) -> Event:
        while (event := self._events[self._oldest]) is None:
            self._oldest += 1
        self._remove(self._oldest)
        self.lost = event.sequence
        if event.conflation_key is not None:
            del self._newest_of_key[event.conflation_key]
        return event

    def _remove(self, index: int) -> None:
        self._events[index] = None
        self._kept -= 1
        # At most half of the lists is holes, so memory stays bounded and the cost of closing them is shared by many.
        if len(self._events) > 2 * self._events_max:
            self._compact()

    def _compact(self) -> None:
        kept = [event for event in self._events if event is not None]
        self._events[:] = kept
        self._sequences[:] = [event.sequence for event in kept]
        self._oldest = 0
