"""Statistics in the in-memory store."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count, islice
from typing import Any

from marketdata.clock import Clock
from marketdata.model.statistics import MarketComparison, Statistic
from marketdata.store.limits import ROWS_MAX, check_limit, statistic_refused
from marketdata.store.memory_base import refuse
from marketdata.store.memory_exports import MemoryExports
from marketdata.store.statistics import Kind, StatisticsQuestion


class MemoryStatistics(MemoryExports):
    """The part of the Store protocol that is about statistics."""

    def __init__(self, clock: Clock | None) -> None:
        super().__init__(clock)
        self._statistics: dict[type[Statistic], dict[tuple[Any, ...], Statistic]] = {}
        self._statistic_ids = count(1)

    def put_statistics(self, rows: Sequence[Statistic]) -> None:
        """See Store. Raises: also StoreError for one that cannot be; then nothing was written."""
        with self._lock:
            self._require(market for row in rows for market in row.markets)
            refuse("put_statistics", map(statistic_refused, rows))
            for row in sorted(rows, key=lambda one: (type(one).__name__, one.key)):
                held = self._statistics.setdefault(type(row), {})
                known = held.get(row.key)
                held[row.key] = replace(row, id=known.id if known else next(self._statistic_ids))

    def statistics(self, kind: type[Kind], question: StatisticsQuestion) -> list[Kind]:
        """See Store. Raises: NotFound; RequestInvalid for a limit out of bounds."""
        check_limit(question.limit)
        keys = {one.key for one in question.instruments} if question.instruments is not None else None
        with self._lock:
            self._require(keys or ())
            held = [row for row in self._statistics.get(kind, {}).values() if isinstance(row, kind)]
            chosen = _newest(held) if question.latest else held
            wanted = (row for row in chosen if _asked_for(row, question, keys))
            return list(islice(sorted(wanted, key=lambda row: row.id, reverse=True), question.limit))

    def prune_statistics(self, *, before: datetime, comparisons_before: datetime) -> int:
        """See Store."""
        with self._lock:
            forgotten = 0
            for kind, held in self._statistics.items():
                edge = comparisons_before if kind is MarketComparison else before
                old = sorted((row.as_of, row.id, key) for key, row in held.items() if row.as_of < edge)[:ROWS_MAX]
                for _, _, key in old:
                    del held[key]
                forgotten += len(old)
            return forgotten


def _asked_for(row: Statistic, question: StatisticsQuestion, keys: set[tuple[str, str]] | None) -> bool:
    wanted = all if question.within else any
    return (
        (keys is None or wanted(market in keys for market in row.markets))
        and question.period in (None, getattr(row, "period", None))
        and (question.start is None or row.as_of >= question.start)
        and (question.end is None or row.as_of < question.end)
        and (question.before_id is None or row.id < question.before_id)
    )


def _newest(held: Sequence[Kind]) -> list[Kind]:
    """The newest of each market and period; of comparisons all of the newest time."""
    newest: dict[tuple[Any, ...], Kind] = {}
    for row in sorted(held, key=lambda one: one.as_of):
        newest[row.key[:-1]] = row
    if held and isinstance(held[0], MarketComparison):
        last = max(row.as_of for row in held)
        return [row for row in newest.values() if row.as_of == last]
    return list(newest.values())
