"""Going on until a successor does the work: what a feed that is asked to stop does in a deployment. Run by feed/main.

Both feeds write the same store, whose merge rule makes two as good as one; so the overlap loses nothing, and the
store's list of feeds is where each sees the other.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from marketdata.errors import StoreError
from marketdata.model.symbol_shard import shard_named
from marketdata.store.answers import FeedStatus
from marketdata.store.store import Store

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
HANDING_OVER = "hands over to its successor"
"""How the detail of a feed begins that is about to go: it is nobody's successor."""

_BEST_FIRST = ("live", "stale", "connecting", "down", "stopped")


async def hand_over(
    store: Store, ours: Callable[[], Sequence[FeedStatus]], *, seconds_max: float, look_seconds: float = LOOK_SECONDS
) -> bool:
    """Wait until another feed was heard to do all that ours does; whether one came within `seconds_max`.

    `ours` says what this feed would say now. A store that does not answer is asked again: the successor may be well.
    """
    since: datetime | None = None
    try:
        async with asyncio.timeout(seconds_max):
            while True:
                known = await _known(store)
                # Words from before we were asked prove nothing: who spoke them may have died since.
                since = since or max((one.stored_at for one in known if one.stored_at is not None), default=None)
                if is_succeeded(ours(), known, since):
                    logger.info("a successor does the work")
                    return True
                await asyncio.sleep(look_seconds)
    except TimeoutError:
        logger.warning("no successor was heard", extra={"seconds": seconds_max})
        return False


def is_succeeded(ours: Sequence[FeedStatus], known: Sequence[FeedStatus], since: datetime | None) -> bool:
    """Whether each exchange of ours is followed by another feed of our shard that is as well, and was heard after
    `since` (the store's own clock; None: nobody was ever heard)."""
    return all(any(_succeeds(other, one, since) for other in known) for one in ours)


def _succeeds(other: FeedStatus, ours: FeedStatus, since: datetime | None) -> bool:
    return (
        other.exchange == ours.exchange
        and other.feed_id != ours.feed_id
        and shard_named(other.feed_id) == shard_named(ours.feed_id)
        and not other.detail.startswith(HANDING_OVER)
        and (since is not None and other.stored_at is not None and other.stored_at > since)
        and _BEST_FIRST.index(other.state) <= _BEST_FIRST.index(ours.state)
    )


async def _known(store: Store) -> Sequence[FeedStatus]:
    try:
        return await asyncio.to_thread(store.feed_statuses)
    except StoreError as error:
        logger.warning("the store does not say who else feeds it", extra={"reason": str(error)})
        return []
