"""What a store is. Two exist: SupabaseStore (PostgREST) and MemoryStore; one contract suite runs over both.

All of it is synchronous; the async feed calls it through `asyncio.to_thread`. Every method is idempotent and raises
StoreError when the store could not be asked or did not answer.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from marketdata.model.candle import Candle
from marketdata.model.gap import Gap, GapState
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe
from marketdata.model.trade import Trade
from marketdata.store.access import AccessStore
from marketdata.store.alert_store import AlertStore
from marketdata.store.answers import CandlePage, Changes, Coverage, CoverageAudit, DayCounts, FeedStatus
from marketdata.store.exports import ExportStore
from marketdata.store.figures_store import FiguresStore
from marketdata.store.kept_answers import AnswerStore
from marketdata.store.news import NewsStore
from marketdata.store.pushed_ticks import PushedTickStore
from marketdata.store.snapshots import SnapshotStore
from marketdata.store.statistics_store import StatisticsStore
from marketdata.store.work import WorkStore


class Store(
    WorkStore,
    SnapshotStore,
    AnswerStore,
    AccessStore,
    ExportStore,
    PushedTickStore,
    StatisticsStore,
    FiguresStore,
    AlertStore,
    NewsStore,
    Protocol,
):
    """Where instruments, candles, trades and what is known of them live, and what is known of the work on them."""

    def instruments(self, *, active_only: bool = False) -> list[Instrument]:
        """All instruments, ordered by (exchange, symbol)."""
        ...

    def put_instruments(self, instruments: Sequence[Instrument]) -> None:
        """Insert or update by (exchange, symbol)."""
        ...

    def put_candles(self, candles: Sequence[Candle]) -> None:
        """Merge candles under the rule of docs/data-semantics.md, in any order, any number of times.

        Raises: NotFound if an instrument is not known; then nothing was written.
        """
        ...

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
        """At most `limit` candles with `start <= open_time < end`, ordered by open time.

        The oldest `limit` of them in ascending order; with `newest_first` the newest `limit` in descending order.
        Never silently fewer: less than `limit` means there are no more. `limit` is at most 10,000.
        """
        ...

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
        """The candles that `candles` gives, and what is known of the time in which they leave a hole; one question.

        Looked at are the whole buckets from `start` (None: the oldest candle) to `end`, no further than where `limit`
        cut the page, and none that closes after `settled`. Coverage is as of the last `roll_up`.
        """
        ...

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
        """A word for the page that `read_candles` gives: equal words, equal pages. No row is carried to tell it.

        What changes the page changes it; a write to other time, another instrument or another timeframe does not.
        """
        ...

    def put_trades(self, exchange: str, trades: Sequence[Trade]) -> None:
        """Keep trades; one already kept, by (symbol, time, id), is left as it is. Raises: NotFound as put_candles."""
        ...

    def trades(self, instrument: Instrument, span: Span, *, limit: int, newest_first: bool = False) -> list[Trade]:
        """At most `limit` trades with `start <= time < end`, ordered by (time, id); below `limit` means no more.

        With `newest_first` the newest, in descending order.
        """
        ...

    def mark_empty(self, instrument: Instrument, timeframe: Timeframe, spans: Sequence[Span]) -> None:
        """Record that the exchange confirmed that these 1m-aligned spans had no trades."""
        ...

    def coverage(self, instrument: Instrument, timeframe: Timeframe, span: Span) -> Coverage:
        """What is known inside `span`, as of the last `roll_up`."""
        ...

    def count_candles(
        self, instrument: Instrument, timeframe: Timeframe, span: Span, *, closed: Sequence[Span] = ()
    ) -> list[DayCounts]:
        """What is held of the buckets that open inside `span`, at most 366 days: a count for each day, oldest first.

        Days of which nothing is known are left out, and so are buckets of which all is `closed` time. Candles count as
        soon as they are put, emptiness as in `coverage`.
        """
        ...

    def audit_coverage(self, instrument: Instrument, span: Span, *, repair: bool = True) -> CoverageAudit:
        """Compare coverage with the candles, of every timeframe, that open inside `span`, at most 31 days.

        Time that waits for `roll_up` is left out. With `repair`, wrong time is queued: the next `roll_up` makes its
        coverage and its coarser candles anew.
        """
        ...

    def roll_up(self, *, limit: int = 2000) -> int | None:
        """Drain the queue of changed 1m candles into coverage and coarser timeframes.

        Returns how many queue entries were taken; None if another drainer holds the lock.
        """
        ...

    def changes(self, *, after_id: int | None, limit: int) -> Changes:
        """The time of 1m candles that at most `limit` drained entries worked in, since change `after_id`.

        Whoever wrote them; coarser candles are up to date with them. A ragged history may be told as one span. None
        asks for the newest number alone. What is too old to be kept is left out. `limit` is at most 10,000.
        """
        ...

    def ensure_partitions(self, span: Span) -> None:
        """Make room for candles and trades of `span`."""
        ...

    def prune_history(self, *, now: datetime) -> int:
        """One bounded step of forgetting what is older than the database is told to keep; 0 when nothing is left to do.

        Coarser candles stay when the finer ones go that they were made of. Without a rule nothing is forgotten.
        """
        ...

    def record_gaps(
        self, instrument: Instrument, timeframe: Timeframe, spans: Sequence[Span], *, cause: str, found_at: datetime
    ) -> int:
        """Put spans, widened to whole buckets, on the ledger as open gaps; how many gaps were added or grew.

        What an unresolved gap covers is not recorded twice, and what touches or overlaps an open one is merged into
        it: the oldest gap stays, with the most attempts and the earliest `retry_at` of those merged. Ordered history
        (cause `history`) and gaps that happened are not merged into each other.
        """
        ...

    def gaps(
        self,
        *,
        states: Collection[GapState] | None = None,
        instrument: Instrument | None = None,
        limit: int,
        after_id: int | None = None,
    ) -> list[Gap]:
        """At most `limit` gaps with `id > after_id`, ordered by id; below `limit` means no more. At most 10,000."""
        ...

    def claim_gaps(
        self, worker: str, *, now: datetime, lease_seconds: float, limit: int, exchange: str | None = None
    ) -> list[Gap]:
        """Lease open gaps whose `retry_at` has come and leased ones whose lease ran out, newest span first.

        Ordered history (cause `history`) comes after everything else. Each lease is one attempt more. No two workers
        are ever given the same gap.
        """
        ...

    def resolve_gap(self, gap: Gap, *, state: GapState, now: datetime, reason: str = "") -> bool:
        """Close a leased gap for its lease holder, as one of the resolved states.

        False when the lease was lost (another worker or attempt holds it, or it was closed otherwise): then nothing
        changed. Saying the same again is True and changes nothing.
        """
        ...

    def release_gap(
        self,
        gap: Gap,
        *,
        now: datetime,
        retry_at: datetime,
        reason: str,
        remaining: Sequence[Span] | None = None,
        untouched: Sequence[Span] = (),
    ) -> bool:
        """Give a leased gap back as open, not to be leased before `retry_at`; False as in `resolve_gap`.

        With `remaining`, only those parts stay open, each a gap of its own, and the rest becomes filled gaps.
        `untouched` are parts that nobody got to: they stay open too, due at once and with nothing said against them.
        """
        ...

    def find_gaps(
        self, *, now: datetime, history: timedelta, grace: timedelta, instrument: Instrument | None = None
    ) -> list[tuple[Instrument, Span]]:
        """The 1m history of active instruments that is wanted, and neither held, known to be empty nor on the ledger.

        Wanted is, inside the whole minutes of [now - history, now - grace): what came since the instrument is known
        here, and whatever was on the ledger before. A span that is unresolved, unrecoverable or of a closed market is
        not found. As of the last `roll_up`; ordered by (exchange, symbol), then time. At most the newest 10,000: once
        these are recorded, the next question finds the others.
        """
        ...

    def find_history(self, *, now: datetime, history: timedelta) -> list[tuple[Instrument, Span]]:
        """The 1m history of active instruments, since `now - history`, from before they were known here.

        Only what is neither held nor known to be empty, as of the last `roll_up`, and was never on the ledger: once it
        is recorded it is not found again, whatever became of it. Ordered and bounded as in `find_gaps`.
        """
        ...

    def close_covered_gaps(self, *, now: datetime) -> int:
        """Take what is held or known to be empty by now off the open gaps, and those whose lease ran out.

        Gaps of which nothing is left are filled; others shrink, in as many gaps as parts are left. As of the last
        `roll_up`. Returns how many gaps changed, at most 10,000 a call.
        """
        ...

    def mark_closed(self, instrument: Instrument, spans: Sequence[Span], *, now: datetime) -> int:
        """Record that the market was closed in the whole minutes of `spans`; how many gaps were added or grew.

        The ledger has one market_closed gap a closed session, which grows while the session lasts. An unresolved gap
        is split where a session begins or ends: its closed time goes, a lease stays with the first part that is left.
        Minutes without a candle are known to be empty from now on.
        """
        ...

    def put_feed_status(self, status: FeedStatus) -> None:
        """Replace what this feed last said of this exchange."""
        ...

    def feed_statuses(self) -> list[FeedStatus]:
        """What every feed last said, newest first."""
        ...

    def ping(self) -> None:
        """Answer if the store can be reached and its schema is there. Raises: StoreError."""
        ...
