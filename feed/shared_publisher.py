"""The feed's end of the shared ring: what is published waits in a bounded ring of its own until the server has it.

A server that is away slows nobody: the newest state of each thing waits, then the oldest events are dropped and
counted, and the next batch says so to every reader.
"""

import asyncio
import logging
import random
import secrets
from typing import Any

from feed.hub import KINDS
from feed.ring import Event, Ring
from feed.shared_wire import (
    AGE_SECONDS_MAX,
    APPEND,
    BATCHES_MAX,
    EVENTS,
    HEAD,
    dial,
    failures,
    make_room,
    packed,
    publisher_key,
)

logger = logging.getLogger(f"marketdata.{__name__}")

ANSWER_SECONDS_MAX = 2.0
BATCH_EVENTS_MAX = 512
BACKOFF_SECONDS_FIRST, BACKOFF_SECONDS_MAX = 0.1, 2.0


class SharedPublisher:
    """Sends to the server at `url` in batches, one every `hold_seconds`; at most `waiting_max` events wait."""

    def __init__(
        self,
        url: str,
        *,
        waiting_max: int = 16_384,
        hold_seconds: float = 0.05,
        backoff_seconds_max: float = BACKOFF_SECONDS_MAX,
    ) -> None:
        self.dropped = 0
        """Events that had no room while the server was away."""
        self._url = url
        self._hold_seconds = hold_seconds
        self._backoff_seconds_max = backoff_seconds_max
        self._name = secrets.token_hex(8)
        self._waiting = Ring("waiting", waiting_max)
        self._taken = 0
        self._sent = 0
        self._batches = 0
        self._known = ("", 0)
        self._news = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def head(self) -> int:
        """The number that the ring gave the newest event that it got from here."""
        return self._known[1]

    @property
    def waiting(self) -> int:
        """Events that the server has not got yet, those among them that newer states replaced."""
        return self._waiting.head - self._sent

    def publish(
        self, kind: str, exchange: str, symbol: str, document: bytes, *, conflation_key: str | None = None
    ) -> None:
        """See Line."""
        assert kind in KINDS, kind
        sequence = self._waiting.head + 1
        lost = self._waiting.append(Event(sequence, kind, exchange, symbol, document, conflation_key))
        if lost is not None and lost.sequence > self._taken:
            self.dropped += 1
        self._empty.clear()
        self._news.set()

    async def run(self) -> None:
        """Send until cancelled."""
        client = dial(self._url, answer_seconds_max=ANSWER_SECONDS_MAX)
        try:
            script = client.register_script(APPEND)
            while True:
                await self._news.wait()
                self._news.clear()
                while self._sent < self._waiting.head:
                    await self._send(script)
                    await asyncio.sleep(self._hold_seconds)
                self._empty.set()
        finally:
            await client.aclose()

    async def emptied(self, seconds_max: float) -> bool:
        """Whether the server got everything within that time."""
        try:
            async with asyncio.timeout(seconds_max):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    async def _send(self, script: Any) -> None:
        """One batch, until the server has it: sent again it is the same batch, which counts once."""
        lost = self._waiting.lost > self._taken
        batch: list[Event] = []
        for event in self._waiting.after(self._taken):
            batch.append(event)
            if len(batch) == BATCH_EVENTS_MAX:
                break
        self._taken = batch[-1].sequence
        self._batches += 1
        about: list[int | bytes] = [self._batches, len(batch), int(lost), packed(batch)]
        await self._insist(script, [*about, BATCHES_MAX, AGE_SECONDS_MAX])
        self._sent = self._taken

    async def _insist(self, script: Any, arguments: list[int | bytes]) -> None:
        keys, wait_seconds_max, told = [EVENTS, HEAD, publisher_key(self._name)], BACKOFF_SECONDS_FIRST, False
        while True:
            try:
                answer = await script(keys=keys, args=[secrets.token_hex(4), *self._known, *arguments])
            except failures() as error:
                if not told:
                    # The kind alone: a message may quote the address, and the password in it.
                    logger.warning("the shared ring takes nothing", extra={"reason": type(error).__name__})
                told = True
                await make_room(script.registered_client, error)
                await asyncio.sleep(random.uniform(0, wait_seconds_max))
                wait_seconds_max = min(2 * wait_seconds_max, self._backoff_seconds_max)
                continue
            self._known = (answer[0].decode(), int(answer[1]))
            if told:
                logger.info("the shared ring takes batches again", extra={"dropped": self.dropped})
            return
