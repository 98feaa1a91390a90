"""One client's stream, as the bytes that are written to it."""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
from marketdata.serve import sse

from feed.audience import Audience
from feed.ring import Ring


class Subscription:
    """Iterate to get what to write next, until the client is dropped or the stream closed.

    It begins with the client's position, so that one cut off before its first event can still resume; with `reset`
    before that if `position` is None, which says: what you missed is gone, load afresh. A client that owes too much is
    told `skipped` and dropped; it may come back with the id it has. Where the stream itself broke it hears `reset`,
    too, and goes on.
    """

    def __init__(
        self,
        ring: Ring,
        audience: Audience,
        position: int | None,
        *,
        events_max: int,
        leave: "Callable[[Subscription], None]",
    ) -> None:
        self._ring = ring
        self._audience = audience
        self._events_max = events_max
        self._leave = leave
        self._closed = False
        self._go_on(position)

    @property
    def event_id(self) -> str:
        """Where the client may resume: nothing that it wants lies between this and what it has read."""
        if self._breaks != self._ring.breaks:
            return f"{self._epoch}-{self._position}"  # of before the break, which nobody has told it yet
        caught_up = self._audience.newest <= self._position
        return self._ring.event_id(self._ring.head if caught_up else self._position)

    def close(self) -> None:
        """End the stream, also for the one who waits for its next write."""
        if not self._closed:
            self._closed = True
            self._leave(self)
            self._audience.announce()

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> bytes:
        """The next write, as soon as there is something to say. Cancelling it loses nothing."""
        while not self._closed:
            # Taken before reading: what is published between reading and waiting is not slept through.
            news = self._audience.news
            if chunk := self._next():
                return chunk
            await news.wait()
        raise StopAsyncIteration

    def _go_on(self, position: int | None) -> None:
        """From there, or where the ring is now; the client is told which."""
        self._epoch, self._breaks = self._ring.epoch, self._ring.breaks
        self._position = self._ring.head if position is None else position
        # What was published before the client came is its replay, and does not make it slow.
        self._replay_end = self._ring.head
        reset = sse.event("reset", b"{}") if position is None else b""
        self._greeting = reset + sse.position(self._ring.event_id(self._position))

    def _next(self) -> bytes:
        if self._breaks != self._ring.breaks:
            self._go_on(None)
        if self._greeting:
            greeting, self._greeting = self._greeting, b""
            return greeting
        unread = max(self._position, self._replay_end)
        if self._position < self._audience.lost or self._audience.owes_more_than(self._events_max, unread):
            return self._drop()
        chunk, self._position = self._audience.read(self._position)
        return chunk

    def _drop(self) -> bytes:
        skipped = {"from": self._ring.event_id(self._position + 1), "to": self._ring.event_id(self._ring.head)}
        self.close()
        return sse.event("skipped", msgspec.json.encode(skipped))


async def chunks(subscription: Subscription, comment_seconds: float) -> AsyncIterator[bytes]:
    """What to write next; in a quiet time a comment, and where the client may resume."""
    while True:
        try:
            async with asyncio.timeout(comment_seconds):
                chunk = await anext(subscription, None)
        except TimeoutError:
            yield sse.comment() + sse.position(subscription.event_id)
            continue
        if chunk is None:
            return
        yield chunk
