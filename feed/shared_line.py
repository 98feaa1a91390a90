"""The line over Valkey or Redis: feeds publish into one ring, and every gateway serves all of it.

A feed reads only once somebody asks it for the stream: on AWS nobody does, and reading what all shards publish would
cost each of them as much as publishing.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping

from feed.hub import Hub, HubUnavailable
from feed.shared_publisher import SharedPublisher
from feed.shared_reader import SharedReader

logger = logging.getLogger(f"marketdata.{__name__}")

REACH_SECONDS_MAX = 2.0
CATCH_UP_SECONDS_MAX = 1.0
CLOSE_SECONDS_MAX = 2.0
CANCEL_SECONDS = 0.2


class SharedLine:
    """One process's ends of the ring at `url`. `listening`: it is a gateway, and reads from the start."""

    def __init__(
        self,
        url: str,
        hub: Hub,
        *,
        listening: bool = False,
        waiting_max: int = 16_384,
        backoff_seconds_max: float = 2.0,
        reach_seconds_max: float = REACH_SECONDS_MAX,
    ) -> None:
        self._publisher = SharedPublisher(url, waiting_max=waiting_max, backoff_seconds_max=backoff_seconds_max)
        self._reader = SharedReader(url, hub, backoff_seconds_max=backoff_seconds_max)
        self._reach_seconds_max = reach_seconds_max
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._start("publisher", self._publisher.run())
        if listening:
            self._listen()

    def publish(
        self, kind: str, exchange: str, symbol: str, document: bytes, *, conflation_key: str | None = None
    ) -> None:
        """See Line."""
        self._publisher.publish(kind, exchange, symbol, document, conflation_key=conflation_key)

    async def reach(self, last_event_id: str | None) -> None:
        """See Line. An id from another gateway may be a moment ahead of this one."""
        self._listen()
        if not await self._reader.until_live(self._reach_seconds_max):
            raise HubUnavailable("what the feeds publish cannot be had now")
        if last_event_id is not None:
            await self._reader.until_here(last_event_id, CATCH_UP_SECONDS_MAX)

    def report(self) -> Mapping[str, object]:
        """See Line."""
        ended = any(task.done() for task in self._tasks.values())
        state = self._reader.state if "reader" in self._tasks else "live"
        return {
            "state": "down" if ended else state,
            "waiting": self._publisher.waiting,
            "dropped": self._publisher.dropped,
            "head": self._publisher.head,
            "breaks": self._reader.breaks,
        }

    async def close(self) -> None:
        """See Line."""
        await self._publisher.emptied(CLOSE_SECONDS_MAX)
        # One that meets a connection's own timeout comes out as that timeout: once is not always enough.
        while going := [task for task in self._tasks.values() if not task.done()]:
            for task in going:
                task.cancel()
            await asyncio.wait(going, timeout=CANCEL_SECONDS)

    def _listen(self) -> None:
        if "reader" not in self._tasks:
            self._start("reader", self._reader.run())

    def _start(self, name: str, work: Coroutine[None, None, None]) -> None:
        self._tasks[name] = asyncio.create_task(work)
        self._tasks[name].add_done_callback(_complain)


def _complain(task: "asyncio.Task[None]") -> None:
    """Only a bug ends one of them before it is cancelled: whoever asks for /health is to know, and why."""
    if not task.cancelled():
        logger.error("an end of the shared ring failed", exc_info=task.exception())
