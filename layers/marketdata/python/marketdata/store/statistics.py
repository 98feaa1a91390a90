"""What a store knows of statistics: rows keyed by bucket edges, which whoever computes them again writes the same.

Part of Store.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from marketdata.model.instrument import Instrument
from marketdata.model.statistics import MarketAggregate, MarketComparison, MarketSnapshot, RoiStatistic, Statistic

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


class StatisticsStore(Protocol):
    """One row of each market (or pair), period and edge."""

    def put_statistics(self, rows: Sequence[Statistic]) -> None:
        """Insert or replace rows, of one kind or several; a row that is the same already is left untouched.

        Raises: NotFound if a market is not known.
        """
        ...

    def statistics(self, kind: type[Kind], question: StatisticsQuestion) -> list[Kind]:
        """At most `limit` rows of that kind, newest written first (by `id`); below `limit` means no more.

        `limit` is at most 10,000.
        """
        ...

    def prune_statistics(self, *, before: datetime, comparisons_before: datetime) -> int:
        """Forget rows of before those times, at most 10,000 of a kind, the oldest first; how many."""
        ...
