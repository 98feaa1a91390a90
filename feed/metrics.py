"""What the feed counts, as metrics: how much each counter of its statuses grew since the last time. Run by feed/main."""

import asyncio
from collections.abc import Callable, Sequence

from marketdata import observe
from marketdata.store.store import FeedStatus

WRITE_SECONDS = 60.0


async def write_metrics(statuses: Callable[[], Sequence[FeedStatus]], *, seconds: float = WRITE_SECONDS) -> None:
    """Count and write every so often, until cancelled."""
    before: dict[str, int] = {}
    while True:
        await asyncio.sleep(seconds)
        before = count_growth(statuses(), before)
        observe.write_metrics()


def count_growth(statuses: Sequence[FeedStatus], before: dict[str, int]) -> dict[str, int]:
    """Count how much the counters grew, over all exchanges; returns what they are now."""
    now: dict[str, int] = {}
    for status in statuses:
        for name, value in _counters(status).items():
            now[name] = now.get(name, 0) + value
    for name, value in now.items():
        observe.count(name, value - before.get(name, 0))
    # How much is missing is a state, not a count of events: it is told as it is.
    observe.count("TradesMissing", sum(status.missing for status in statuses))
    return now


def _counters(status: FeedStatus) -> dict[str, int]:
    ids = status.contiguity
    return {
        "FeedTrades": ids.trades,
        "FeedTradesTwice": ids.duplicates,
        "FeedHoles": ids.holes,
        "FeedTradesMended": ids.mended,
        "FeedIdViolations": ids.violations,
        "FeedReconnects": status.reconnects,
        "FeedFramesMalformed": status.malformed,
    }
