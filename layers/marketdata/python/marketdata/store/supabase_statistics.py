"""Statistics in the Supabase store: plain upserts and selects, newest first, whatever cap the server has on rows.

What statistics are made of is imported when they are first asked for: the store is part of every cold start.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from marketdata.store.batches import batches
from marketdata.store.limits import check_limit
from marketdata.store.wire import Row, time_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from marketdata.model.statistics import Statistic
    from marketdata.store.instrument_numbers import InstrumentNumbers
    from marketdata.store.patient_client import Filters, PatientClient
    from marketdata.store.statistics import Kind, StatisticsQuestion


class SupabaseStatistics:
    """The part of the Store protocol that is about statistics."""

    _client: PatientClient
    _numbers: InstrumentNumbers

    def put_statistics(self, rows: Sequence[Statistic]) -> None:
        """See Store. Batches are written one after the other; after a StoreError some may be there."""
        from marketdata.store.statistic_rows import CONFLICTS, TABLES, statistic_row  # noqa: PLC0415

        ids = self._numbers.of_all("put_statistics", {market for row in rows for market in row.markets})
        for kind, table in TABLES.items():
            unique = {row.key: row for row in rows if type(row) is kind}
            # Writers that lock rows in one order cannot deadlock.
            prepared = [statistic_row(unique[key], ids) for key in sorted(unique)]
            for batch in batches(prepared):
                self._client.upsert("put_statistics", table, batch, on_conflict=CONFLICTS[kind])

    def statistics(self, kind: type[Kind], question: StatisticsQuestion) -> list[Kind]:
        """See Store."""
        from marketdata.store.statistic_rows import TABLES, market_numbers, selected, statistic_of  # noqa: PLC0415

        check_limit(question.limit)
        table = f"{TABLES[kind]}_latest" if question.latest else TABLES[kind]
        page = partial(self._client.select_newest, "statistics", table, selected(kind))
        rows: list[Row] = []
        before = question.before_id
        # A server may give fewer rows than it is asked for, without a word: only an empty page says that none is left.
        while len(rows) < question.limit:
            found = page(self._filters(kind, question, before), question.limit - len(rows))
            if not found:
                break
            rows += found
            before = rows[-1]["id"]
        numbers = {number for row in rows for number in market_numbers(row)}
        keys = self._numbers.keys_of("statistics", numbers)
        return [cast("Kind", statistic_of(kind, row, keys)) for row in rows]

    def prune_statistics(self, *, before: datetime, comparisons_before: datetime) -> int:
        """See Store."""
        arguments = {"p_before": time_text(before), "p_comparisons_before": time_text(comparisons_before)}
        return self._client.call("prune_statistics", "prune_statistics_v1", arguments, int)

    def _filters(self, kind: type[Statistic], question: StatisticsQuestion, before: int | None) -> Filters:
        """The question as PostgREST spells it: (column, condition)."""
        filters: list[tuple[str, str]] = []
        if question.instruments is not None:
            known = self._numbers.of_all("statistics", {one.key for one in question.instruments})
            listed = ",".join(str(known[one.key]) for one in question.instruments)
            filters += _of_markets(kind, f"in.({listed})", within=question.within)
        if question.period is not None:
            filters.append(("period", f"eq.{question.period}"))
        if question.start is not None:
            filters.append(("as_of", f"gte.{time_text(question.start)}"))
        if question.end is not None:
            filters.append(("as_of", f"lt.{time_text(question.end)}"))
        if before is not None:
            filters.append(("id", f"lt.{before}"))
        return filters


def _of_markets(kind: type[Statistic], among: str, *, within: bool) -> Filters:
    from marketdata.model.statistics import MarketComparison  # noqa: PLC0415

    if kind is not MarketComparison:
        return [("instrument_id", among)]
    if within:
        return [("first_id", among), ("second_id", among)]
    return [("or", f"(first_id.{among},second_id.{among})")]
