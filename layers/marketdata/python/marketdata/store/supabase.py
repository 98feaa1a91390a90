"""The store that the system runs on: Supabase, spoken to over PostgREST.

What a write means is decided in the database (migrations/): the merge rule, the queue of changes, the rollups. Here
values become rows in sorted, bounded batches, and every failure becomes a StoreError.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import httpx

from marketdata.compute.coverage import union
from marketdata.compute.merge import merge
from marketdata.errors import StoreError
from marketdata.model.candle import Candle
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe
from marketdata.model.times import utc
from marketdata.model.trade import Trade
from marketdata.store import rows
from marketdata.store.instrument_numbers import InstrumentNumbers
from marketdata.store.limits import check_counted, check_limit
from marketdata.store.patient_client import PatientClient, Refused
from marketdata.store.rows import CandleColumns, CoverageSpans, DayColumns, FeedRow, PageColumns, Row, TradeColumns
from marketdata.store.store import CandlePage, Coverage, DayCounts, FeedStatus
from marketdata.store.supabase_ledger import SupabaseLedger

BATCH_ROWS_MAX = 1_000
"""Rows of one write: fast, and far below the statement timeout."""

TIMEOUT_SECONDS = 10.0
ATTEMPTS_MAX = 3

# SQLSTATE check_violation: what Postgres says of a row that no partition takes.
_NO_PARTITION = "23514"
# Twenty years, the most that one span may be, by a hundred days a call, and some to hear that nothing is left.
_ENSURE_CALLS_MAX = 80
_MICROSECOND = timedelta(microseconds=1)

Item = TypeVar("Item")


class SupabaseStore(SupabaseLedger):
    """The Store protocol on a Supabase project; safe to share between threads.

    `url` is the project's (https://….supabase.co), `key` its service key. `http` and `sleep` are for those who need
    another transport or no waiting; a given `http` client is closed with the store.
    Raises: StoreError for a key that cannot be one.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        attempts_max: int = ATTEMPTS_MAX,
        http: httpx.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        client = PatientClient(
            url, key, timeout_seconds=timeout_seconds, attempts_max=attempts_max, http=http, sleep=sleep
        )
        super().__init__(client, InstrumentNumbers(client))

    def close(self) -> None:
        """Close the connections; the store is of no use afterwards."""
        self._client.close()

    def instruments(self, *, active_only: bool = False) -> list[Instrument]:
        """See Store."""
        found = self._numbers.instruments("instruments").values()
        return sorted((one for one in found if one.active or not active_only), key=lambda one: one.key)

    def put_instruments(self, instruments: Sequence[Instrument]) -> None:
        """See Store."""
        by_key = {instrument.key: instrument for instrument in instruments}
        prepared = [rows.instrument_row(by_key[key]) for key in sorted(by_key)]
        for batch in _batches(prepared):
            self._client.upsert("put_instruments", "instruments", batch, on_conflict="exchange,symbol")

    def put_candles(self, candles: Sequence[Candle]) -> None:
        """See Store. Batches are written one after the other; after a StoreError some may be there."""
        merged: dict[tuple[int, int, datetime], Candle] = {}
        ids = self._numbers.of_all("put_candles", {(candle.exchange, candle.symbol) for candle in candles})
        for candle in candles:
            key = (ids[candle.exchange, candle.symbol], candle.timeframe.minutes, candle.open_time)
            merged[key] = merge(merged[key], candle) if key in merged else candle
        # Writers that lock rows in one order cannot deadlock.
        for batch in _batches(sorted(merged)):
            self._write(
                "put_candles",
                "candles",
                [rows.candle_row(merged[key], key[0]) for key in batch],
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
            "p_start": rows.time_text(start),
            "p_end": rows.time_text(end),
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
        check_limit(limit)
        arguments = {
            "p_instrument_id": self._numbers.of("read_candles", instrument),
            "p_timeframe": timeframe.minutes,
            "p_settled": rows.time_text(settled),
            "p_start": rows.time_text(start),
            "p_end": rows.time_text(end),
            "p_limit": limit,
            "p_newest_first": newest_first,
        }
        found = self._client.call("read_candles", "read_candles_v1", arguments, PageColumns)
        return found.page(instrument, timeframe)

    def put_trades(self, exchange: str, trades: Sequence[Trade]) -> None:
        """See Store. Times are kept to the microsecond."""
        kept: dict[tuple[int, datetime, int], Trade] = {}
        ids = self._numbers.of_all("put_trades", {(exchange, trade.symbol) for trade in trades})
        for trade in trades:
            kept.setdefault((ids[exchange, trade.symbol], utc(trade.time_ns), trade.id), trade)
        for batch in _batches(sorted(kept)):
            self._write(
                "put_trades",
                "ticks",
                [rows.trade_row(kept[key], key[0]) for key in batch],
                [key[1] for key in batch],
                on_conflict="instrument_id,time,trade_id",
                ignore_duplicates=True,
            )

    def trades(self, instrument: Instrument, span: Span, *, limit: int) -> list[Trade]:
        """See Store."""
        check_limit(limit)
        arguments = {
            "p_instrument_id": self._numbers.of("trades", instrument),
            "p_start": rows.time_text(span.start),
            "p_end": rows.time_text(span.end),
            "p_limit": limit,
        }
        columns = self._client.call("trades", "get_trades_v1", arguments, TradeColumns)
        return columns.trades(instrument.symbol)

    def mark_empty(self, instrument: Instrument, timeframe: Timeframe, spans: Sequence[Span]) -> None:
        """See Store. A minute that has a candle, whatever its source, is not empty."""
        arguments = {
            "p_instrument_id": self._numbers.of("mark_empty", instrument),
            "p_timeframe": timeframe.minutes,
        }
        for batch in _batches(union(spans)):
            self._client.call("mark_empty", "mark_empty_v1", {**arguments, "p_spans": rows.multirange(batch)}, object)

    def coverage(self, instrument: Instrument, timeframe: Timeframe, span: Span) -> Coverage:
        """See Store."""
        arguments = {
            "p_instrument_id": self._numbers.of("coverage", instrument),
            "p_timeframe": timeframe.minutes,
            "p_start": rows.time_text(span.start),
            "p_end": rows.time_text(span.end),
        }
        known = self._client.call("coverage", "get_coverage_v1", arguments, CoverageSpans)
        return Coverage(covered=union(rows.spans(known.covered)), empty=union(rows.spans(known.empty)))

    def count_candles(
        self, instrument: Instrument, timeframe: Timeframe, span: Span, *, closed: Sequence[Span] = ()
    ) -> list[DayCounts]:
        """See Store. Raises: also RequestInvalid for a span out of bounds."""
        check_counted(span)
        arguments = {
            "p_instrument_id": self._numbers.of("count_candles", instrument),
            "p_timeframe": timeframe.minutes,
            "p_start": rows.time_text(span.start),
            "p_end": rows.time_text(span.end),
            "p_closed": rows.multirange(union(closed)),
        }
        return self._client.call("count_candles", "count_candles_v2", arguments, DayColumns).days()

    def roll_up(self, *, limit: int = 2000) -> int | None:
        """See Store. An answer that was lost on the way is asked for again; then the count is of the second drain."""
        taken = self._client.call("roll_up", "drain_dirty_v1", {"p_limit": limit}, int)
        return None if taken < 0 else taken

    def ensure_partitions(self, span: Span) -> None:
        """See Store."""
        self._ensure_partitions("ensure_partitions", span)

    def put_feed_status(self, status: FeedStatus) -> None:
        """See Store."""
        self._client.upsert("put_feed_status", "feeds", [rows.feed_row(status)], on_conflict="exchange,feed_id")

    def feed_statuses(self) -> list[FeedStatus]:
        """See Store."""
        key = ("exchange", "feed_id")
        found = self._client.select_all("feed_statuses", "feeds", key, FeedRow)
        by_name = sorted((row.status for row in found), key=lambda status: (status.exchange, status.feed_id))
        return sorted(by_name, key=lambda status: status.updated_at, reverse=True)

    def ping(self) -> None:
        """See Store."""
        if self._client.call("ping", "schema_version_v1", {}, object) is None:
            raise StoreError("ping", "the database has no schema; apply the migrations")

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

        try:
            write()
        except Refused as refusal:
            if refusal.code != _NO_PARTITION:
                raise
            for span in _by_month(times):
                self._ensure_partitions(operation, span)
            write()

    def _ensure_partitions(self, operation: str, span: Span) -> None:
        """Make room until there is nothing left to make: the database does a bounded part of it a call."""
        arguments = {"p_from": rows.time_text(span.start), "p_to": rows.time_text(span.end)}
        for _ in range(_ENSURE_CALLS_MAX):
            if not self._client.call(operation, "ensure_partitions_v1", arguments, int):
                return
        raise StoreError(operation, f"there is no end of partitions to make for {span.start} .. {span.end}")


def _batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), BATCH_ROWS_MAX):
        yield items[start : start + BATCH_ROWS_MAX]


def _by_month(times: Iterable[datetime]) -> list[Span]:
    """The spans to make room for: what `times` use of each month, not what lies between two far ones."""
    months: defaultdict[tuple[int, int], list[datetime]] = defaultdict(list)
    for one in times:
        months[one.year, one.month].append(one)
    return [Span(min(used), max(used) + _MICROSECOND) for _, used in sorted(months.items())]
