"""A gateway's end of the shared ring: what all feeds published, in the ring's one order, into this process's hub.

It loads what there is, then listens. A hole in the numbers, or another epoch, is a loss, and the hub tells its clients.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Callable
from typing import Any

from feed.hub import Hub
from feed.shared_wire import APPEND, EVENTS, HEAD, batch_of, dial, failures, publisher_key

logger = logging.getLogger(f"marketdata.{__name__}")

BLOCK_SECONDS = 1.0
ANSWER_SECONDS_MAX = 4.0
"""More than BLOCK_SECONDS, which the server waits for news before it answers."""
BATCHES_A_READ = 20
"""Of at most 512 events: a tenth of a second's work, in which no client is told anything."""
BACKOFF_SECONDS_FIRST, BACKOFF_SECONDS_MAX = 0.1, 2.0


class SharedReader:
    """Fills `hub` from the server at `url`."""

    def __init__(self, url: str, hub: Hub, *, backoff_seconds_max: float = BACKOFF_SECONDS_MAX) -> None:
        self.state = "connecting"
        """`live` while it hears the server and has read all that was there."""
        self.breaks = 0
        """How often the hub's clients had to be told that something is lost."""
        self._url = url
        self._hub = hub
        self._backoff_seconds_max = backoff_seconds_max
        self._entry_id = "0"
        self._epoch = ""
        self._moved = asyncio.Event()

    async def run(self) -> None:
        """Read until cancelled; a server that is away is dialled again, ever more slowly."""
        wait_seconds_max = BACKOFF_SECONDS_FIRST
        while True:
            client = dial(self._url, answer_seconds_max=ANSWER_SECONDS_MAX)
            try:
                await self._look_at_head(client)
                while True:
                    await self._read(client)
                    wait_seconds_max = BACKOFF_SECONDS_FIRST
            except failures() as error:
                if self.state == "live":
                    logger.warning("the shared ring is away", extra={"reason": type(error).__name__})
                self._tell("connecting")
            finally:
                await client.aclose()
            await asyncio.sleep(random.uniform(0, wait_seconds_max))
            wait_seconds_max = min(2 * wait_seconds_max, self._backoff_seconds_max)

    async def until_live(self, seconds_max: float) -> bool:
        """Whether it is live, or becomes so within that time."""
        return await self._until(lambda: self.state == "live", seconds_max)

    async def until_here(self, event_id: str, seconds_max: float) -> bool:
        """Whether the hub has that event, or gets it within that time."""
        return await self._until(lambda: not self._hub.is_ahead(event_id), seconds_max)

    async def _until(self, holds: Callable[[], bool], seconds_max: float) -> bool:
        try:
            async with asyncio.timeout(seconds_max):
                while not holds():
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    async def _look_at_head(self, client: Any) -> None:
        """Where the stream is. One that nobody began yet is begun here: gateways may come before feeds."""
        script = client.register_script(APPEND)
        keys = [EVENTS, HEAD, publisher_key("nobody")]
        answer = await script(keys=keys, args=[secrets.token_hex(4), "", 0, 0, 0, 0, b"", 1, 1])
        epoch, head = answer[0].decode(), int(answer[1])
        if epoch == self._epoch:
            return
        # Another server, or one that forgot: its entries may have earlier places than those that were read.
        self._entry_id = "0"
        oldest = await client.xrange(EVENTS, count=1)
        self._begin(epoch, int(oldest[0][1][b"first"]) - 1 if oldest else head)

    async def _read(self, client: Any) -> None:
        """What came since, or after a while without any news a look at whether it is still the same stream."""
        block = int(BLOCK_SECONDS * 1_000) if self.state == "live" else None
        answer = await client.xread({EVENTS: self._entry_id}, count=BATCHES_A_READ, block=block)
        entries = answer[0][1] if answer else []
        for entry in entries:
            self._take(entry)
            self._entry_id = entry[0].decode()
        if not entries:
            await self._look_at_head(client)
        self._tell("live" if len(entries) < BATCHES_A_READ else self.state)

    def _take(self, entry: tuple[bytes, dict[bytes, bytes]]) -> None:
        try:
            batch = batch_of(entry)
        except ValueError as error:
            # Left out, it is a hole before the next one, of which the clients are told.
            logger.error("a batch of the shared ring cannot be read", extra={"reason": str(error)})  # noqa: TRY400
            return
        if batch.epoch != self._hub.epoch or batch.first > self._hub.head + 1:
            self._begin(batch.epoch, batch.first - 1)
        for sequence, sent in enumerate(batch.events, batch.first):
            if sequence > self._hub.head:
                about = (sent.kind, sent.exchange, sent.symbol)
                self._hub.put(sequence, *about, sent.document, conflation_key=sent.conflation_key)

    def _begin(self, epoch: str, head: int) -> None:
        self.breaks += bool(self._epoch)
        self._epoch = epoch
        self._hub.begin(epoch, head)

    def _tell(self, state: str) -> None:
        self.state = state
        self._moved.set()
        self._moved = asyncio.Event()
