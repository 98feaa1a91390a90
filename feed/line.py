"""What lies between a feed, which publishes, and a hub, which clients are at: nothing, or a ring that many share.

The feed and the gateway know this protocol only; one suite of tests holds both kinds to it.
"""

from collections.abc import Mapping
from typing import Protocol

from feed.hub import Hub


class Line(Protocol):
    """What is published at one end is heard by the hub at each other end, in one order that all ends share."""

    def publish(
        self, kind: str, exchange: str, symbol: str, document: bytes, *, conflation_key: str | None = None
    ) -> None:
        """Send an event off; called on the event loop, waits for nobody. See Hub.publish."""
        ...

    async def reach(self, last_event_id: str | None) -> None:
        """Wait, for seconds at most, until the hub has what a client heard elsewhere. Raises: HubUnavailable."""
        ...

    def report(self) -> Mapping[str, object]:
        """How it is, for /health.

        `state` is live or connecting; so many events are `waiting`, or were `dropped` since the start; `head` is the
        number of the newest one that got away from here.
        """
        ...

    async def close(self) -> None:
        """Send off what waits, for seconds at most, and hang up."""
        ...


class OwnLine:
    """Within one process: what is published is at the hub at once, and nobody else hears it."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def publish(
        self, kind: str, exchange: str, symbol: str, document: bytes, *, conflation_key: str | None = None
    ) -> None:
        """See Line."""
        self._hub.publish(kind, exchange, symbol, document, conflation_key=conflation_key)

    async def reach(self, last_event_id: str | None) -> None:
        """See Line: it is all here."""

    def report(self) -> Mapping[str, object]:
        """See Line."""
        return {"state": "live", "waiting": 0, "dropped": 0, "head": self._hub.head}

    async def close(self) -> None:
        """See Line: nothing waits."""
