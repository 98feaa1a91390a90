"""A store that lives as long as its process: simulations, replays and tests run on it.

It means what the database means, down to what changes only when the queue is drained; tests/contract holds the two
equal. Each part of the protocol is a file of its own; here they are one.
"""

from dataclasses import replace

from marketdata.clock import Clock
from marketdata.store.answers import FeedStatus
from marketdata.store.limits import feed_refused
from marketdata.store.memory_base import refuse
from marketdata.store.memory_figures import MemoryFigures
from marketdata.store.memory_pushed_ticks import MemoryPushedTicks
from marketdata.store.memory_statistics import MemoryStatistics


class MemoryStore(MemoryStatistics, MemoryPushedTicks, MemoryFigures):
    """The Store protocol in memory; safe to share between threads.

    `clock` tells when an instrument became known, and paces the exchanges' budgets; without one, all instruments always
    were known, and the machine's own clock paces.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self._feeds: dict[tuple[str, str], FeedStatus] = {}

    def put_feed_status(self, status: FeedStatus) -> None:
        """See Store. Raises: StoreError for a status that cannot be."""
        refuse("put_feed_status", [feed_refused(status)])
        with self._lock:
            heard_at = self._clock.now() if self._clock is not None else None
            self._feeds[status.exchange, status.feed_id] = replace(status, stored_at=heard_at)

    def feed_statuses(self) -> list[FeedStatus]:
        """See Store."""
        with self._lock:
            by_name = [self._feeds[key] for key in sorted(self._feeds)]
        return sorted(by_name, key=lambda status: status.updated_at, reverse=True)

    def ping(self) -> None:
        """See Store; memory is always there."""
