"""What a store does with statistics: whoever computes rows again writes the same. Part of Store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    # For annotations alone: the store is part of every cold start, and statistics of few.
    from collections.abc import Sequence
    from datetime import datetime

    from marketdata.model.statistics import Statistic
    from marketdata.store.statistics import Kind, StatisticsQuestion


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
