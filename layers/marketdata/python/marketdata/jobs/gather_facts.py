"""Ask the store for what the rules of alerts judge. Called by raise_alerts.

What changes slowly (how whole yesterday is) is asked for once in a while and kept in the book between.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from marketdata.compute.alert_facts import Facts, FeedFact
from marketdata.compute.alert_rules import FEED_SILENCE_MAX, GAP_AGE_MAX, is_trading
from marketdata.compute.calendar import closed
from marketdata.compute.daily_coverage import DayCoverage, expected_buckets
from marketdata.compute.market_rules import Measured, market_value, minutes_needed
from marketdata.model.alert_book import Book, DayShare
from marketdata.model.alert_rule import MarketRule, MarketRuleKind
from marketdata.model.instrument import Instrument
from marketdata.model.job_run import JobRun
from marketdata.model.span import Span
from marketdata.model.statistics import RoiStatistic
from marketdata.model.symbol_shard import shard_named
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.store.alerts import AlertDesk
from marketdata.store.answers import FeedStatus
from marketdata.store.statistics import StatisticsQuestion
from marketdata.store.store import Store

SHARES_EVERY = timedelta(minutes=15)
DAY_SETTLES = timedelta(hours=1)
"""So long after midnight yesterday is judged: what was lost at its end has been mended by then, or will not be."""
RUNS_LOOKED_AT = 5
FRESH = timedelta(minutes=10)
"""A market whose newest minute is older says nothing of now."""
_DAY = timeframe_named("1d")
_PERCENT = Decimal(100)


def gather_facts(store: Store, desk: AlertDesk, now: datetime, periods: Mapping[str, timedelta]) -> Facts:
    """The state of the system now. Raises: StoreError."""
    instruments = store.instruments(active_only=True)
    return Facts(
        now=now,
        instruments=tuple(instruments),
        feeds=newest_feeds(store.feed_statuses()),
        gaps=tuple(store.unrepaired_gaps(before=now - GAP_AGE_MAX)),
        shares=day_shares(store, desk.book, instruments, now),
        limits=tuple(store.limited_exchanges()),
        runs={kind: runs for kind in periods if (runs := _runs(store, kind, now))},
        periods=periods,
        troubles=desk.troubles,
    )


def newest_feeds(statuses: Iterable[FeedStatus]) -> tuple[FeedFact, ...]:
    """What the newest feed of each exchange said, and of each part, where several share its symbols.

    Of two that overlap in a deploy, the one that is to stay; feeds of another division are gone.
    """
    of_shard: dict[tuple[str, str], list[FeedStatus]] = {}
    division: dict[str, str] = {}
    for status in sorted(statuses, key=lambda one: one.updated_at, reverse=True):
        shard = shard_named(status.feed_id)
        if _division(shard) == division.setdefault(status.exchange, _division(shard)):
            of_shard.setdefault((status.exchange, shard), []).append(status)
    return tuple(_fact(_staying(one)) for _, one in sorted(of_shard.items()))


def _staying(statuses: Sequence[FeedStatus]) -> FeedStatus:
    """Newest first; of those that speak at the same time the one that is live, then the one that began last."""
    speaking = [one for one in statuses if statuses[0].updated_at - one.updated_at <= FEED_SILENCE_MAX]
    return max(speaking, key=lambda one: (one.state == "live", one.started_at))


def _fact(status: FeedStatus) -> FeedFact:
    return FeedFact(
        exchange=status.exchange,
        state=status.state,
        started_at=status.started_at,
        updated_at=status.updated_at,
        last_message_at=status.last_message_at,
        stored_at=status.stored_at,
        spooled=status.spooled,
        spool_max=status.spool_max,
        detail=status.detail,
    )


def _division(shard: str) -> str:
    """Of `2/3`, the 3."""
    return shard.partition("/")[2]


def day_shares(store: Store, book: Book, instruments: Sequence[Instrument], now: datetime) -> tuple[DayShare, ...]:
    """How whole the last whole day is, of what was followed then; from the book if it was asked lately."""
    if book.shares_at is not None and now - book.shares_at < SHARES_EVERY:
        return book.shares
    midnight = _DAY.floor(now - DAY_SETTLES)
    day = Span(midnight - _DAY.duration, midnight)
    shares = (_share(store, one, day) for one in instruments if not one.pushed)
    return tuple(share for share in shares if share is not None)


def _share(store: Store, instrument: Instrument, day: Span) -> DayShare | None:
    """None of a day on which nothing is expected, or nothing is held at all: it was not followed then."""
    shut = closed(instrument.calendar, day)
    expected = expected_buckets(day, M1, shut).get(day.start, 0)
    counts = store.count_candles(instrument, M1, day, closed=shut)
    if not expected or not counts:
        return None
    one = counts[0]
    present = one.live + one.venue + one.proven + one.manual
    whole = DayCoverage(day.start.date(), expected, present, one.partial, one.proven, one.empty)
    return DayShare(instrument.exchange, instrument.symbol, day.start, whole.coverage, whole.missing)


def _runs(store: Store, kind: str, now: datetime) -> tuple[JobRun, ...]:
    return tuple(store.runs(now=now, kind=kind, limit=RUNS_LOOKED_AT))


def measure(
    store: Store, rules: Sequence[MarketRule], instruments: Sequence[Instrument], now: datetime
) -> list[Measured]:
    """What users' rules watch shows now. Raises: StoreError."""
    known = {one.key: one for one in instruments}
    return [_measured(store, rule, known.get((rule.exchange, rule.symbol)), now) for rule in rules]


def _measured(store: Store, rule: MarketRule, instrument: Instrument | None, now: datetime) -> Measured:
    """A closed market says nothing."""
    if instrument is None or not (is_trading(instrument, now) or instrument.pushed):
        return Measured(rule, None)
    if rule.kind in (MarketRuleKind.ROI, MarketRuleKind.DRAWDOWN):
        return _of_statistics(store, rule, instrument)
    needed = minutes_needed(rule)
    start = M1.floor(now) - timedelta(minutes=needed) - FRESH
    candles = store.candles(instrument, M1, start=start, end=None, limit=needed + 20, newest_first=True)[::-1]
    if not candles or now - candles[-1].open_time > FRESH:
        return Measured(rule, None)
    return Measured(rule, market_value(rule, candles), candles[-1].open_time)


def _of_statistics(store: Store, rule: MarketRule, instrument: Instrument) -> Measured:
    question = StatisticsQuestion(instruments=(instrument,), period=rule.window, latest=True, limit=1)
    rows = store.statistics(RoiStatistic, question)
    figure = None if not rows else rows[0].roi if rule.kind is MarketRuleKind.ROI else rows[0].max_drawdown
    if figure is None:
        return Measured(rule, None)
    return Measured(rule, Decimal(repr(figure)) * _PERCENT, rows[0].as_of)
