"""Fetch what whole assets are worth, and index prices for the time in which nobody asked. Runs every quarter hour.

Off unless coins are configured. Rows are filed under the source's own time, so that a run that is repeated writes the
same ones. An asset of which nothing is held, or not for HOLE, gets its index prices first, and its newest one only when
those are there: else the hole would look filled.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from marketdata.clock import Clock
from marketdata.errors import RemoteMalformed, RemoteThrottled, RemoteUnavailable
from marketdata.exchanges.exchange import Request
from marketdata.exchanges.snapshot_source import SnapshotSource
from marketdata.model.coin import Coin
from marketdata.model.span import Span
from marketdata.store.snapshots import SnapshotStore

logger = logging.getLogger(__name__)

HOLE = timedelta(hours=2)
"""Index prices come by the hour; less than that is no hole."""
HISTORY = timedelta(days=30)
KEEP = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class OpenSource:
    """A source that can be asked: `get` paces itself, and raises RemoteError."""

    get: Callable[[Request], bytes]
    source: SnapshotSource
    coins: Sequence[Coin]
    quotes: Sequence[str]


@dataclass(slots=True)
class FetchResult:
    """One run. `snapshots` were told and `indexed` index prices; `changed` rows are not as they were.

    `absent`: assets without a price there. `waiting`: those whose index prices did not come, for the reason `stopped`
    if there is one; the next run asks again.
    """

    snapshots: int = 0
    indexed: int = 0
    changed: int = 0
    malformed: int = 0
    pruned: int = 0
    absent: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    stopped: str = ""


def fetch_snapshots(
    store: SnapshotStore,
    clock: Clock,
    deadline: datetime,
    *,
    open_source: Callable[[], AbstractContextManager[OpenSource] | None] = lambda: None,
    history: timedelta = HISTORY,
    keep: timedelta = KEEP,
) -> dict[str, object]:
    """The job. Raises: StoreError; RemoteMalformed when the source refuses us, or speaks another language."""
    result = FetchResult(pruned=store.prune_snapshots(before=clock.now() - keep))
    opened = open_source()
    if opened is not None:
        with opened as source:
            run = _Run(store, clock, deadline, source, result)
            for quote in source.quotes:
                run.fetch(quote, history)
    return asdict(result)


class _Run:
    def __init__(
        self, store: SnapshotStore, clock: Clock, deadline: datetime, source: OpenSource, result: FetchResult
    ) -> None:
        self._store = store
        self._clock = clock
        self._deadline = deadline
        self._source = source
        self._result = result

    def fetch(self, quote: str, history: timedelta) -> None:
        """All coins in one quote currency: what is missing of their past, then what they are worth now."""
        ready = []
        for coin in self._source.coins:
            hole = self._hole(coin, quote, history)
            if hole is None or self._index(coin, quote, hole):
                ready.append(coin)
            else:
                self._result.waiting.append(f"{coin.asset}-{quote}")
        self._value(ready, quote)

    def _hole(self, coin: Coin, quote: str, history: timedelta) -> Span | None:
        now = self._clock.now()
        newest = self._store.snapshots(
            self._source.source.name, coin.asset, quote, start=now - history, end=None, limit=1, newest_first=True
        )
        since = newest[0].observed_at if newest else now - history
        return Span(since, now) if now - since > HOLE else None

    def _index(self, coin: Coin, quote: str, hole: Span) -> bool:
        """Write the index prices of that time; False when they may still come."""
        try:
            for request in self._source.source.chart_requests(coin, quote, hole):
                body = self._ask(request)
                if body is None:
                    return False
                points = self._source.source.parse_chart(body, coin, quote)
                self._result.indexed += len(points)
                self._result.changed += self._store.put_snapshots(points)
        except RemoteMalformed as error:
            # What cannot be read now cannot be read in a quarter of an hour: the hole stays, and the newest goes on.
            self._result.malformed += 1
            logger.warning("index prices cannot be read", extra={"asset": coin.asset, "reason": error.reason})
        return True

    def _value(self, coins: Sequence[Coin], quote: str) -> None:
        source, step = self._source.source, self._source.source.coins_a_request
        for named in (coins[start : start + step] for start in range(0, len(coins), step)):
            body = self._ask(source.market_request(named, quote))
            if body is None:
                return
            page = source.parse_markets(body, named, quote)
            self._result.snapshots += len(page.snapshots)
            self._result.changed += self._store.put_snapshots(page.snapshots)
            self._result.absent += [f"{asset}-{quote}" for asset in page.absent]
            self._result.malformed += len(page.malformed)
            if page.malformed:
                logger.warning("snapshots quarantined", extra={"excerpt": page.malformed[0]})

    def _ask(self, request: Request) -> bytes | None:
        """None when nothing more is to be asked in this run."""
        if not self._result.stopped and self._clock.now() >= self._deadline:
            self._result.stopped = "the time is over"
        if self._result.stopped:
            return None
        try:
            return self._source.get(request)
        except (RemoteThrottled, RemoteUnavailable) as error:
            self._result.stopped = str(error)
            return None
