"""Reading a subscription without waiting: what a client could be told at this moment."""

import asyncio

from feed.subscription import Subscription
from tests.event_source import EventSource


async def read_once(subscription: Subscription) -> bytes:
    """The next write if there is one now, else nothing: the timeout strikes only where the subscription would wait."""
    try:
        async with asyncio.timeout(0):
            return await anext(subscription, b"")
    except TimeoutError:
        return b""


async def read_all(subscription: Subscription, source: EventSource) -> None:
    """Let `source` hear all that there is now."""
    while chunk := await read_once(subscription):
        source.feed(chunk)
