"""The times that statistics look back over, and the buckets of aggregates."""

from dataclasses import dataclass
from datetime import timedelta

from marketdata.model.timeframe import Timeframe, timeframe_named


@dataclass(frozen=True, slots=True)
class Window:
    """So much time back from a bucket's edge, seen through the closes of one timeframe."""

    name: str
    duration: timedelta
    timeframe: Timeframe

    @property
    def buckets(self) -> int:
        """How many returns there are if none is missing."""
        return self.duration // self.timeframe.duration


WINDOWS: tuple[Window, ...] = (
    Window("1h", timedelta(hours=1), timeframe_named("1m")),
    Window("24h", timedelta(days=1), timeframe_named("5m")),
    Window("7d", timedelta(days=7), timeframe_named("15m")),
    Window("30d", timedelta(days=30), timeframe_named("1h")),
    Window("365d", timedelta(days=365), timeframe_named("1d")),
)
"""Between 60 and 720 returns each: enough to estimate from, and one page of closes to read."""

AGGREGATED = {"hourly": timeframe_named("1h"), "daily": timeframe_named("1d"), "weekly": timeframe_named("1w")}
"""The buckets of aggregates, by the name of the period."""
