"""Read back what is stored and prove that it holds together: every minute explained, ids joined, rollups folded.

Called by `marketdata verify`. Reads only; what it says is as of the last drain of the queue.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from marketdata.compute.coverage import Spans, buckets_inside, contains, intersect, subtract, union
from marketdata.compute.differences import differing_fields
from marketdata.compute.rollup import roll_up
from marketdata.model.candle import Candle, Source
from marketdata.model.gap import GapState
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, Timeframe, timeframe_named
from marketdata.store.store import Store

DIFFERENCES_MAX = 100
"""Described of one instrument; all are counted."""
GAPS_A_READ = 10_000
ROWS_A_READ = 10_000
_DAY, _WEEK = timeframe_named("1d"), timeframe_named("1w")


@dataclass(slots=True)
class Verdict:
    """What was found of one instrument. `minutes` counts each minute of the span once: by the source of its candle, or
    as no_trades, market_closed, unrecoverable or missing. `differences` counts what contradicts itself."""

    instrument: Instrument
    span: Span
    minutes: Counter[str] = field(default_factory=Counter)
    joined: int = 0
    """Pairs of neighbouring proven candles whose ids join."""
    folded: int = 0
    """Coarser candles that equal the fold of finer ones."""
    differences: int = 0
    described: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether nothing is missing, lost, held in part, or contradicts itself."""
        lacking = self.minutes["missing"] + self.minutes["unrecoverable"] + self.minutes["partial"]
        return not (lacking or self.differences)

    def differ(self, description: str) -> None:
        """Count a contradiction."""
        self.differences += 1
        if len(self.described) < DIFFERENCES_MAX:
            self.described.append(description)


def verify_candles(
    store: Store, instrument: Instrument, span: Span, on_day: Callable[[datetime], object] = lambda _: None
) -> Verdict:
    """Verify a span of whole minutes, day by day; `on_day` hears of each. Raises: StoreError, NotFound."""
    verdict = Verdict(instrument, span)
    lost, shut = (_on_ledger(store, instrument, state) for state in (GapState.UNRECOVERABLE, GapState.MARKET_CLOSED))
    last: Candle | None = None
    for day in _days(span):
        on_day(day.start)
        minutes = _rows(store, instrument, M1, day)
        known = store.coverage(instrument, M1, day)
        _count(verdict, day, minutes, empty=known.empty, lost=lost, shut=shut)
        _check_coverage(verdict, minutes, known.covered, known.empty)
        last = _check_ids(verdict, [*([last] if last else []), *minutes], known.empty)
        _check_rollups(verdict, store, day, minutes, known.empty)
    if _WEEK in instrument.timeframes:
        for week in _weeks(span):
            _check_week(verdict, store, week)
    return verdict


def _days(span: Span) -> Iterator[Span]:
    start = span.start
    while start < span.end:
        end = min(span.end, _DAY.floor(start) + _DAY.duration)
        yield Span(start, end)
        start = end


def _weeks(span: Span) -> Iterator[Span]:
    """The whole weeks inside."""
    start = _WEEK.ceil(span.start)
    while start + _WEEK.duration <= span.end:
        yield Span(start, start + _WEEK.duration)
        start += _WEEK.duration


def _rows(store: Store, instrument: Instrument, timeframe: Timeframe, span: Span) -> list[Candle]:
    return store.candles(instrument, timeframe, start=span.start, end=span.end, limit=ROWS_A_READ)


def _on_ledger(store: Store, instrument: Instrument, state: GapState) -> Spans:
    spans: list[Span] = []
    after: int | None = None
    while True:
        gaps = store.gaps(states=[state], instrument=instrument, limit=GAPS_A_READ, after_id=after)
        spans += [gap.span for gap in gaps if gap.timeframe == M1]
        if len(gaps) < GAPS_A_READ:
            return union(spans)
        after = gaps[-1].id


def _count(verdict: Verdict, day: Span, minutes: Sequence[Candle], *, empty: Spans, lost: Spans, shut: Spans) -> None:
    verdict.minutes.update(one.source.label for one in minutes)
    left: Spans = subtract([day], (_span(one) for one in minutes))
    for name, spans in (("no_trades", empty), ("market_closed", shut), ("unrecoverable", lost)):
        verdict.minutes[name] += _length(intersect(left, spans))
        left = subtract(left, spans)
    verdict.minutes["missing"] += _length(left)


def _check_coverage(verdict: Verdict, minutes: Sequence[Candle], covered: Spans, empty: Spans) -> None:
    held = union(_span(one) for one in minutes if one.complete)
    for span in subtract(covered, held):
        verdict.differ(f"covered, says the store, and no candle is there: {_written(span)}")
    for span in subtract(held, covered):
        verdict.differ(f"held, and the store does not count it as covered: {_written(span)}")
    for span in intersect(empty, union(_span(one) for one in minutes)):
        verdict.differ(f"said to be without trades, and a candle is there: {_written(span)}")


def _check_ids(verdict: Verdict, minutes: Sequence[Candle], empty: Spans) -> Candle | None:
    """Neighbours are proven candles with nothing but silence between them; returns the last candle of the day."""
    for one, other in pairwise(minutes):
        if not (one.source is other.source is Source.PROVEN) or one.last_id is None or other.first_id is None:
            continue
        apart = one.close_time < other.open_time
        if apart and not contains(empty, Span(max(one.close_time, _DAY.floor(other.open_time)), other.open_time)):
            continue
        if other.first_id == one.last_id + 1:
            verdict.joined += 1
        else:
            verdict.differ(
                f"ids do not join: {one.open_time:%Y-%m-%d %H:%M} ends with {one.last_id}, "
                f"{other.open_time:%Y-%m-%d %H:%M} begins with {other.first_id}"
            )
    return minutes[-1] if minutes else None


def _check_rollups(verdict: Verdict, store: Store, day: Span, minutes: list[Candle], empty: Spans) -> None:
    """Each coarser candle of the day against the fold of the finer ones that are kept."""
    rows = {M1: minutes}
    for timeframe in verdict.instrument.timeframes:
        if timeframe == M1 or timeframe.minutes > _DAY.minutes:
            continue
        finer = max((one for one in rows if timeframe.minutes % one.minutes == 0), key=lambda one: one.minutes)
        whole = buckets_inside([day], timeframe)
        rows[timeframe] = [
            one for one in _rows(store, verdict.instrument, timeframe, day) if contains(whole, _span(one))
        ]
        folds = {one.open_time: one for one in roll_up(rows[finer], timeframe, empty) if contains(whole, _span(one))}
        stored = {one.open_time: one for one in rows[timeframe]}
        for opens in sorted(folds.keys() | stored.keys()):
            _compare_fold(verdict, timeframe, opens, stored.get(opens), folds.get(opens))


def _check_week(verdict: Verdict, store: Store, week: Span) -> None:
    """A week's candle against the fold of the coarsest finer ones that are kept, which are read day by day."""
    instrument = verdict.instrument
    finer = max({M1, *instrument.timeframes} - {_WEEK}, key=lambda one: one.minutes)
    rows = [row for day in _days(week) for row in _rows(store, instrument, finer, day)]
    folds = roll_up(rows, _WEEK, store.coverage(instrument, M1, week).empty)
    stored = _rows(store, instrument, _WEEK, week)
    if stored or folds:
        _compare_fold(verdict, _WEEK, week.start, next(iter(stored), None), next(iter(folds), None))


def _compare_fold(
    verdict: Verdict, timeframe: Timeframe, opens: datetime, stored: Candle | None, fold: Candle | None
) -> None:
    if stored is None or fold is None:
        verdict.differ(f"{timeframe} of {opens:%Y-%m-%d %H:%M} is {'missing' if stored is None else 'of nothing'}")
    elif fields := differing_fields(stored, fold):
        verdict.differ(f"{timeframe} of {opens:%Y-%m-%d %H:%M} is not the fold of finer ones: {', '.join(fields)}")
    else:
        verdict.folded += 1


def _span(candle: Candle) -> Span:
    return Span(candle.open_time, candle.close_time)


def _length(spans: Spans) -> int:
    return sum((span.end - span.start) // M1.duration for span in spans)


def _written(span: Span) -> str:
    return f"{span.start:%Y-%m-%d %H:%M} .. {span.end:%Y-%m-%d %H:%M}"
