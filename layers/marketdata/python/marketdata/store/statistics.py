"""How a store is asked for statistics: rows keyed by bucket edges. See statistics_store."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from marketdata.model.instrument import Instrument
from marketdata.model.statistics import MarketAggregate, MarketComparison, MarketSnapshot, RoiStatistic

Kind = TypeVar("Kind", RoiStatistic, MarketSnapshot, MarketAggregate, MarketComparison)


@dataclass(frozen=True, slots=True)
class StatisticsQuestion:
    """Rows with `start <= as_of < end`; None leaves a side open, or asks for every market or period.

    Of `instruments`, of which a comparison needs one on either side, or of pairs `within` that have both. `latest`:
    the newest of each market and period alone; of comparisons those of the newest time. `before_id` continues a page.
    """

    instruments: tuple[Instrument, ...] | None = None
    within: bool = False
    period: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    latest: bool = False
    limit: int = 1_000
    before_id: int | None = None
