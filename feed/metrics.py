"""What the feed counts, as metrics: by how much each counter of its statuses grew. Run by feed/main."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from marketdata import observe
from marketdata.store.answers import FeedStatus

WRITE_SECONDS = 60.0


async def write_metrics(
    statuses: Callable[[], Sequence[FeedStatus]],
    line: Callable[[], Mapping[str, object]],
    *,
    seconds: float = WRITE_SECONDS,
) -> None:
    """Count and write every so often, until cancelled."""
    before: Counter[str] = Counter()
    while True:
        await asyncio.sleep(seconds)
        told = statuses()
        now = counters(told)
        now["LiveEventsDropped"] = int(str(line()["dropped"]))
        for name, value in now.items():
            observe.count(name, value - before[name])
        # How much is missing is a state and not a sum of events: it is told as it is.
        observe.count("FeedTradesMissing", sum(status.missing for status in told))
        observe.count("FeedSpooled", max((status.spooled for status in told), default=0))
        if told:
            observe.count("FeedAgeSeconds", max(map(age_seconds, told)))
        observe.write_metrics()
        before = now


def age_seconds(status: FeedStatus) -> float:
    """For how long the feed has heard nothing from an exchange; since its start, if it never did."""
    return max(0.0, (status.updated_at - (status.last_message_at or status.started_at)).total_seconds())


def counters(statuses: Sequence[FeedStatus]) -> Counter[str]:
    """What was counted since the feed started, over all exchanges."""
    total: Counter[str] = Counter()
    for status in statuses:
        ids = status.contiguity
        total["FeedTrades"] += ids.trades
        total["FeedTradesTwice"] += ids.duplicates
        total["FeedHoles"] += ids.holes
        total["FeedTradesMended"] += ids.mended
        total["FeedIdViolations"] += ids.violations
        total["FeedReconnects"] += status.reconnects
        total["FeedFramesMalformed"] += status.malformed
    return total
