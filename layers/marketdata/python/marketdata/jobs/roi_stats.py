"""Compute return and risk, snapshots, aggregates and comparisons of every market. Runs every quarter hour.

Rows end on bucket edges and are functions of the candles alone, so that a run that is repeated, or two at once, write
the same rows. A run that is out of time leaves the markets that were computed last for the next one, which begins with
them. docs/data-semantics.md ("Statistics") defines every figure.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from marketdata.clock import Clock
from marketdata.compute.close_series import CloseSeries
from marketdata.compute.comparisons import comparisons
from marketdata.compute.statistics_windows import aggregates, market_snapshot, return_between, roi_statistic
from marketdata.jobs.read_closes import read_closes
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.statistics import MarketAggregate, MarketComparison, MarketSnapshot, RoiStatistic, Statistic
from marketdata.model.timeframe import timeframe_named
from marketdata.model.times import EPOCH, rfc3339
from marketdata.model.windows import WINDOWS, Window
from marketdata.serve.condition import SETTLING
from marketdata.store.statistics import StatisticsQuestion
from marketdata.store.store import Store

QUARTER = timeframe_named("15m")
KEEP = timedelta(days=400)
"""Longer than the longest window: what is computed anew at every run is not forgotten."""
KEEP_COMPARISONS = timedelta(days=2)
"""A hundred markets are 4,950 pairs each quarter hour; older ones can be had of the snapshots."""
COMPARED_MAX = 100
"""Markets that are compared, in the order of their names."""

# Which window's closes the aggregates are folded from.
_FOLDED_FROM = {"hourly": "24h", "daily": "30d", "weekly": "365d"}
_MOMENT = timedelta(microseconds=1)


@dataclass(slots=True)
class RoiStatsResult:
    """One run: rows written, by kind, of `markets`; `left` markets were not computed for want of time.

    `compared` of them in pairs; `uncompared` are beyond the most that are.
    """

    as_of: str
    markets: int = 0
    snapshots: int = 0
    aggregates: int = 0
    comparisons: int = 0
    roi_stats: int = 0
    uncompared: int = 0
    pruned: int = 0
    left: int = 0
    written: set[tuple[str, str]] = field(default_factory=set)

    def document(self) -> dict[str, object]:
        """As JSON shows it."""
        names = ("as_of", "markets", "snapshots", "aggregates", "comparisons", "roi_stats")
        return {name: getattr(self, name) for name in (*names, "uncompared", "pruned", "left")}


def roi_stats(
    store: Store,
    clock: Clock,
    deadline: datetime,
    *,
    chosen: Collection[Instrument] | None = None,
    keep: timedelta = KEEP,
    keep_comparisons: timedelta = KEEP_COMPARISONS,
) -> dict[str, object]:
    """The job: every active market, or the `chosen`, until `deadline`; at least one. Raises: StoreError."""
    now = clock.now()
    settled = now - SETTLING
    as_of = QUARTER.floor(settled)
    result = RoiStatsResult(rfc3339(as_of))
    result.pruned = store.prune_statistics(before=now - keep, comparisons_before=now - keep_comparisons)
    for instrument in _longest_ago_first(store, chosen):
        if result.markets and clock.now() >= deadline:
            result.left += 1
            continue
        rows = list(market_rows(store, instrument, as_of, settled))
        store.put_statistics(rows)
        _count(result, rows)
        result.written.add(instrument.key)
    _compare(store, as_of, result)
    return result.document()


def market_rows(store: Store, instrument: Instrument, as_of: datetime, settled: datetime) -> Iterator[Statistic]:
    """Everything about one market up to the quarter hour `as_of`. Raises: StoreError."""
    series: dict[str, CloseSeries] = {}
    for window in (one for one in WINDOWS if one.timeframe in instrument.timeframes):
        end = window.timeframe.floor(as_of)
        span = Span(end - window.duration, end)
        series[window.name] = read_closes(store, instrument, window.timeframe, span, settled=settled)
        yield roi_statistic(instrument, window, end, series[window.name])
    for period, name in _FOLDED_FROM.items():
        if name in series:
            yield from aggregates(instrument, period, series[name])
    yield _snapshot(store, instrument, as_of, settled, series)


def _snapshot(
    store: Store, instrument: Instrument, as_of: datetime, settled: datetime, series: dict[str, CloseSeries]
) -> MarketSnapshot:
    """The market at `as_of`; a window that ends on a coarser edge needs the quarter hour at its start."""
    rois = {}
    nothing = CloseSeries(QUARTER, Span(as_of - timedelta(days=1), as_of), ())
    for window in WINDOWS[:-1]:
        start = as_of - window.duration
        held = series.get(window.name, nothing)
        if window.timeframe.duration > QUARTER.duration:
            held = _two_ends(store, instrument, window, as_of, settled)
        rois[window.name] = return_between(held, start, as_of)
    return market_snapshot(instrument, as_of, rois, series.get("24h", nothing))


def _two_ends(store: Store, instrument: Instrument, window: Window, as_of: datetime, settled: datetime) -> CloseSeries:
    """The closes of the quarter hours at both ends of a window, and nothing between them."""
    start = as_of - window.duration
    first, last = (
        read_closes(store, instrument, QUARTER, Span(edge - QUARTER.duration, edge), settled=settled)
        for edge in (start, as_of)
    )
    shut = (*first.shut, *last.shut)
    return CloseSeries(QUARTER, Span(start, as_of), (*first.buckets, *last.buckets), shut)


def _longest_ago_first(store: Store, chosen: Collection[Instrument] | None) -> list[Instrument]:
    """Those never computed, then those computed longest ago: whom the last run left comes first now."""
    latest = store.statistics(MarketSnapshot, StatisticsQuestion(latest=True, limit=10_000))
    computed = {(row.exchange, row.symbol): row.as_of for row in latest}
    wanted = store.instruments(active_only=True) if chosen is None else chosen
    return sorted(wanted, key=lambda one: (computed.get(one.key, EPOCH), one.key))


def _compare(store: Store, as_of: datetime, result: RoiStatsResult) -> None:
    """Compare what this run wrote with everything of the same quarter hour, whichever run wrote that."""
    of_now = StatisticsQuestion(start=as_of, end=as_of + _MOMENT, limit=10_000)
    snapshots = sorted(store.statistics(MarketSnapshot, of_now), key=lambda row: row.key)
    result.uncompared = max(0, len(snapshots) - COMPARED_MAX)
    rows = [
        row for row in comparisons(snapshots[:COMPARED_MAX]) if not result.written.isdisjoint((row.first, row.second))
    ]
    store.put_statistics(rows)
    _count(result, rows)


def _count(result: RoiStatsResult, rows: Collection[Statistic]) -> None:
    names = {
        MarketSnapshot: "snapshots",
        MarketAggregate: "aggregates",
        MarketComparison: "comparisons",
        RoiStatistic: "roi_stats",
    }
    for row in rows:
        setattr(result, names[type(row)], getattr(result, names[type(row)]) + 1)
    result.markets += sum(isinstance(row, MarketSnapshot) for row in rows)
