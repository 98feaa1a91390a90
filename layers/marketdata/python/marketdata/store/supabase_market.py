"""The market in the Supabase store: candles, trades, and what is known of their time, over PostgREST.

What a write means is decided in the database (migrations/): the merge rule, the queue of changes, the rollups. Here
values become rows in sorted, bounded batches.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from marketdata.compute.coverage import union
from marketdata.compute.merge import merge
from marketdata.errors import StoreError
from marketdata.model.candle import Candle
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe
from marketdata.model.times import utc
from marketdata.model.trade import Trade
from marketdata.store import wire
from marketdata.store.answers import CandlePage, Changes, Coverage, CoverageAudit, DayCounts
from marketdata.store.batches import batches
from marketdata.store.candle_rows import (
    AuditColumns,
    CandleColumns,
    ChangeColumns,
    CoverageSpans,
    DayColumns,
    candle_row,
)
from marketdata.store.instrument_numbers import InstrumentNumbers
from marketdata.store.limits import check_audited, check_counted, check_limit
from marketdata.store.page_rows import VersionedPage
from marketdata.store.patient_client import PatientClient, Refused
from marketdata.store.trade_rows import TradeColumns, trade_row
from marketdata.store.wire import Row, time_text

# SQLSTATE check_violation: what Postgres says of a row that no partition takes.
_NO_PARTITION = "23514"
# Twenty years, the most that one span may be, by a hundred days a call, and some to hear that nothing is left.
_ENSURE_CALLS_MAX = 80
_MICROSECOND = timedelta(microseconds=1)

Written = TypeVar("Written")


class SupabaseMarket:
    """The part of the Store protocol that is about candles, trades and their time."""

    _client: PatientClient
    _numbers: InstrumentNumbers

    def put_candles(self, candles: Sequence[Candle]) -> None:
        """See Store. Batches are written one after the other; after a StoreError some may be there."""
        merged: dict[tuple[int, int, datetime], Candle] = {}
        ids = self._numbers.of_all("put_candles", {(candle.exchange, candle.symbol) for candle in candles})
        for candle in candles:
            key = (ids[candle.exchange, candle.symbol], candle.timeframe.minutes, candle.open_time)
            merged[key] = merge(merged[key], candle) if key in merged else candle
        # Writers that lock rows in one order cannot deadlock.
        for batch in batches(sorted(merged)):
            self._write(
                "put_candles",
                "candles",
                [candle_row(merged[key], key[0]) for key in batch],
                [key[2] for key in batch],
                on_conflict="instrument_id,timeframe,open_time",
            )

    def candles(
        self,
        instrument: Instrument,
        timeframe: Timeframe,
        *,
        start: datetime | None,
        end: datetime | None,
        limit: int,
        newest_first: bool = False,
    ) -> list[Candle]:
        """See Store."""
        check_limit(limit)
        arguments = {
            "p_instrument_id": self._numbers.of("candles", instrument),
            "p_timeframe": timeframe.minutes,
            "p_start": wire.time_text(start),
            "p_end": wire.time_text(end),
            "p_limit": limit,
            "p_newest_first": newest_first,
        }
        columns = self._client.call("candles", "get_candles_v1", arguments, CandleColumns)
        return columns.candles(instrument, timeframe)

    def read_candles(
        self,
        instrument: Instrument,
        timeframe: Timeframe,
        *,
        start: datetime | None,
        end: datetime | None,
        limit: int,
        settled: datetime,
        newest_first: bool = False,
    ) -> CandlePage:
        """See Store."""
        number = self._numbers.of("read_candles", instrument)
        arguments = _page_arguments(
            number, timeframe, start=start, end=end, limit=limit, settled=settled, newest_first=newest_first
        )
        found = self._client.call("read_candles", "read_candles_v2", arguments, VersionedPage)
        return found.page.page(instrument, timeframe, found.version)

    def candles_version(
        self,
        instrument: Instrument,
        timeframe: Timeframe,
        *,
        start: datetime | None,
        end: datetime | None,
        limit: int,
        settled: datetime,
        newest_first: bool = False,
    ) -> str:
        """See Store."""
        number = self._numbers.of("candles_version", instrument)
        arguments = _page_arguments(
            number, timeframe, start=start, end=end, limit=limit, settled=settled, newest_first=newest_first
        )
        return self._client.call("candles_version", "candles_version_v1", arguments, str)

    def put_trades(self, exchange: str, trades: Sequence[Trade]) -> None:
        """See Store. Times are kept to the microsecond."""
        kept: dict[tuple[int, datetime, int], Trade] = {}
        ids = self._numbers.of_all("put_trades", {(exchange, trade.symbol) for trade in trades})
        for trade in trades:
            kept.setdefault((ids[exchange, trade.symbol], utc(trade.time_ns), trade.id), trade)
        for batch in batches(sorted(kept)):
            self._write(
                "put_trades",
                "ticks",
                [trade_row(kept[key], key[0]) for key in batch],
                [key[1] for key in batch],
                on_conflict="instrument_id,time,trade_id",
                ignore_duplicates=True,
            )

    def trades(self, instrument: Instrument, span: Span, *, limit: int, newest_first: bool = False) -> list[Trade]:
        """See Store."""
        check_limit(limit)
        arguments = {
            "p_instrument_id": self._numbers.of("trades", instrument),
            "p_start": wire.time_text(span.start),
            "p_end": wire.time_text(span.end),
            "p_limit": limit,
            "p_newest_first": newest_first,
        }
        columns = self._client.call("trades", "get_trades_v2", arguments, TradeColumns)
        return columns.trades(instrument.symbol)

    def mark_empty(self, instrument: Instrument, timeframe: Timeframe, spans: Sequence[Span]) -> None:
        """See Store. A minute that has a candle, whatever its source, is not empty."""
        arguments = {
            "p_instrument_id": self._numbers.of("mark_empty", instrument),
            "p_timeframe": timeframe.minutes,
        }
        for batch in batches(union(spans)):
            self._client.call("mark_empty", "mark_empty_v1", {**arguments, "p_spans": wire.multirange(batch)}, object)

    def coverage(self, instrument: Instrument, timeframe: Timeframe, span: Span) -> Coverage:
        """See Store."""
        arguments = {
            "p_instrument_id": self._numbers.of("coverage", instrument),
            "p_timeframe": timeframe.minutes,
            "p_start": wire.time_text(span.start),
            "p_end": wire.time_text(span.end),
        }
        known = self._client.call("coverage", "get_coverage_v1", arguments, CoverageSpans)
        return Coverage(covered=union(wire.spans(known.covered)), empty=union(wire.spans(known.empty)))

    def count_candles(
        self, instrument: Instrument, timeframe: Timeframe, span: Span, *, closed: Sequence[Span] = ()
    ) -> list[DayCounts]:
        """See Store. Raises: also RequestInvalid for a span out of bounds."""
        check_counted(span)
        arguments = {
            "p_instrument_id": self._numbers.of("count_candles", instrument),
            "p_timeframe": timeframe.minutes,
            "p_start": wire.time_text(span.start),
            "p_end": wire.time_text(span.end),
            "p_closed": wire.multirange(union(closed)),
        }
        return self._client.call("count_candles", "count_candles_v2", arguments, DayColumns).days()

    def audit_coverage(self, instrument: Instrument, span: Span, *, repair: bool = True) -> CoverageAudit:
        """See Store. Raises: also RequestInvalid for a span out of bounds."""
        check_audited(span)
        arguments = {
            "p_instrument_id": self._numbers.of("audit_coverage", instrument),
            "p_start": wire.time_text(span.start),
            "p_end": wire.time_text(span.end),
            "p_repair": repair,
        }
        return self._client.call("audit_coverage", "audit_coverage_v1", arguments, AuditColumns).audit()

    def roll_up(self, *, limit: int = 2000) -> int | None:
        """See Store. An answer that was lost on the way is asked for again; then the count is of the second drain."""
        taken = self._client.call("roll_up", "drain_dirty_v1", {"p_limit": limit}, int)
        return None if taken < 0 else taken

    def changes(self, *, after_id: int | None, limit: int) -> Changes:
        """See Store."""
        check_limit(limit)
        told = self._client.call("changes", "get_changes_v1", {"p_after_id": after_id, "p_limit": limit}, ChangeColumns)
        known = self._numbers.instruments("changes") if told.instrument_id else {}
        spans = wire.spans(list(zip(told.start, told.end, strict=True)))
        numbered = zip(told.instrument_id, spans, strict=True)
        # One that was deleted since is nobody's any more.
        return Changes(told.last_id, tuple((known[number], span) for number, span in numbered if number in known))

    def ensure_partitions(self, span: Span) -> None:
        """See Store."""
        self._ensure_partitions("ensure_partitions", span)

    def prune_history(self, *, now: datetime) -> int:
        """See Store."""
        return self._client.call("prune_history", "prune_history_v1", {"p_now": time_text(now)}, int)

    def _write(
        self,
        operation: str,
        table: str,
        batch: Sequence[Row],
        times: Sequence[datetime],
        *,
        on_conflict: str,
        ignore_duplicates: bool = False,
    ) -> None:
        """Write one batch; if there is no partition for some of it, make room and write it again, once."""

        def write() -> None:
            self._client.upsert(operation, table, batch, on_conflict=on_conflict, ignore_duplicates=ignore_duplicates)

        self._making_room(operation, times, write)

    def _making_room(self, operation: str, times: Sequence[datetime], write: Callable[[], Written]) -> Written:
        """What `write` gives; if there is no partition for some of `times`, make room and write once more."""
        try:
            return write()
        except Refused as refusal:
            if refusal.code != _NO_PARTITION:
                raise
            for span in _by_month(times):
                self._ensure_partitions(operation, span)
            return write()

    def _ensure_partitions(self, operation: str, span: Span) -> None:
        """Make room until there is nothing left to make: the database does a bounded part of it a call."""
        arguments = {"p_from": wire.time_text(span.start), "p_to": wire.time_text(span.end)}
        for _ in range(_ENSURE_CALLS_MAX):
            if not self._client.call(operation, "ensure_partitions_v1", arguments, int):
                return
        raise StoreError(operation, f"there is no end of partitions to make for {span.start} .. {span.end}")


def _page_arguments(
    number: int,
    timeframe: Timeframe,
    *,
    start: datetime | None,
    end: datetime | None,
    limit: int,
    settled: datetime,
    newest_first: bool,
) -> dict[str, object]:
    """What read_candles_v2 and candles_version_v1 are asked with. Raises: RequestInvalid for a limit out of bounds."""
    check_limit(limit)
    return {
        "p_instrument_id": number,
        "p_timeframe": timeframe.minutes,
        "p_settled": wire.time_text(settled),
        "p_start": wire.time_text(start),
        "p_end": wire.time_text(end),
        "p_limit": limit,
        "p_newest_first": newest_first,
    }


def _by_month(times: Iterable[datetime]) -> list[Span]:
    """The spans to make room for: what `times` use of each month, not what lies between two far ones."""
    months: defaultdict[tuple[int, int], list[datetime]] = defaultdict(list)
    for one in times:
        months[one.year, one.month].append(one)
    return [Span(min(used), max(used) + _MICROSECOND) for _, used in sorted(months.items())]
