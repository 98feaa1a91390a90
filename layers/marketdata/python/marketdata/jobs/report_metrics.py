"""The figures by which the whole is watched, from what the store knows. Called by the api function.

What a process counts of itself it writes as CloudWatch metrics (observe); these are of the house, whoever asks.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from marketdata.model.instrument import Instrument
from marketdata.model.job_run import RunState
from marketdata.serve.metrics import Metric
from marketdata.store.answers import FeedStatus
from marketdata.store.figures import GapFigure, MarketFigure, RunFigure
from marketdata.store.store import Store

LIVE = "live"


def report_metrics(store: Store, now: datetime) -> list[Metric]:
    """Everything, those of one name together. Raises: StoreError."""
    figures = store.figures(now=now)
    groups = (
        _of_feeds(store.feed_statuses(), now),
        _of_limits(store, now),
        _of_markets(figures.markets, now),
        _of_gaps(figures.gaps),
        _of_runs(figures.runs, now),
        [Metric("gauge", "changes_queued", figures.queued, help="Entries that wait to be rolled up.")],
    )
    found = [metric for group in groups for metric in group]
    order = {name: place for place, name in enumerate(dict.fromkeys(metric.name for metric in found))}
    return sorted(found, key=lambda metric: order[metric.name])


def _of_feeds(feeds: Iterable[FeedStatus], now: datetime) -> Iterator[Metric]:
    for feed in feeds:
        labels = {"exchange": feed.exchange, "feed": feed.feed_id}

        def gauge(name: str, value: float, told: str, labels: dict[str, str] = labels) -> Metric:
            return Metric("gauge", name, value, labels, told)

        def counter(name: str, value: float, told: str, labels: dict[str, str] = labels) -> Metric:
            return Metric("counter", name, value, labels, f"{told} since the feed's process started.")

        yield gauge("feed_live", int(feed.state == LIVE), "1 while the feed last said that it is live.")
        yield gauge("feed_age_seconds", _age(feed.updated_at, now), "Since the feed last said anything.")
        if feed.last_trade_at is not None:
            yield gauge("feed_trade_age_seconds", _age(feed.last_trade_at, now), "Since the feed's newest trade.")
        yield counter("feed_trades_total", feed.trades, "Trades")
        yield counter("feed_reconnects_total", feed.reconnects, "Connections that were made again")
        yield counter("feed_malformed_total", feed.malformed, "Frames that could not be read")
        yield counter("feed_mended_total", feed.contiguity.mended, "Trades that were fetched because they were missing")
        yield gauge("feed_missing_trades", feed.missing, "Trade ids that are known to be missing now.")
        yield gauge("feed_spooled", feed.spooled, "Candles that wait for the store.")


def _of_limits(store: Store, now: datetime) -> Iterator[Metric]:
    for limit in store.limited_exchanges():
        left = max(0.0, _age(now, limit.blocked_until))
        told = "How long an exchange is not to be asked."
        yield Metric("gauge", "exchange_blocked_seconds", left, {"exchange": limit.exchange}, told)


def _of_markets(markets: Iterable[MarketFigure], now: datetime) -> Iterator[Metric]:
    for market in markets:
        labels = _labels(market.instrument)
        if market.newest is not None:
            told = "Since the newest minute opened."
            yield Metric("gauge", "candle_age_seconds", _age(market.newest, now), labels, told)
        if market.expected:
            share = (market.covered + market.empty) / market.expected
            told = "The share of the last day that is held whole or known to be empty."
            yield Metric("gauge", "coverage_ratio", round(share, 6), labels, told)


def _of_gaps(gaps: Iterable[GapFigure]) -> Iterator[Metric]:
    for gap in gaps:
        labels = {"exchange": gap.exchange, "state": gap.state.value}
        yield Metric("gauge", "gaps", gap.gaps, labels, "Gaps on the ledger.")
        yield Metric("gauge", "gap_seconds", gap.seconds, labels, "How long they are together.")


def _of_runs(runs: Iterable[RunFigure], now: datetime) -> Iterator[Metric]:
    for run in runs:
        labels = {"job": run.kind, "trigger": run.trigger, "state": run.state.value}
        yield Metric("gauge", "job_runs", run.runs, labels, "Runs on the list, which forgets the old ones.")
        yield Metric("gauge", "job_age_seconds", _age(run.last_at, now), labels, "Since the newest of them began.")
        yield from _pipeline(run)


def _pipeline(run: RunFigure) -> Iterator[Metric]:
    """The same under the names of the ingestion pipeline whose dashboards are still about."""
    labels = {"trigger": run.trigger, "job": run.kind}
    names = {RunState.SUCCEEDED: "ingestion_success_total", RunState.FAILED: "ingestion_failure_total"}
    if run.state in names:
        # The list forgets, so that a count may fall, which Prometheus would take for a new beginning.
        yield Metric("counter", names[run.state], run.runs, labels, scraped=False)
        mean = round(run.seconds * 1_000 / run.runs, 3)
        yield Metric("histogram", "ingestion_duration_ms", mean, labels, scraped=False)


def _labels(instrument: Instrument) -> dict[str, str]:
    return {"exchange": instrument.exchange, "symbol": instrument.symbol}


def _age(since: datetime, now: datetime) -> float:
    return (now - since).total_seconds()
