"""What the in-memory store holds of one instrument: its candles and what is known of its time.

The same as the database's candles and coverage tables, its merge trigger and its drain (migrations/). Not safe for
threads: MemoryStore holds the lock.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from marketdata.compute import rollup
from marketdata.compute.coverage import (
    Spans,
    buckets_inside,
    buckets_touching,
    clip,
    contains,
    intersect,
    meeting,
    replace_inside,
    subtract,
    union,
)
from marketdata.compute.merge import merge
from marketdata.model.candle import Candle, Source
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, TIMEFRAMES, Timeframe, timeframe_named
from marketdata.store.answers import Coverage, CoverageFault, DayCounts
from marketdata.store.sorted_map import SortedMap

_DAY = timeframe_named("1d")
_COUNTED = (*(source.label for source in Source), "empty")


class History:
    """Candles of all timeframes, which time they cover, and which time is known to be empty."""

    def __init__(self) -> None:
        self._rows: defaultdict[Timeframe, SortedMap[_Row]] = defaultdict(SortedMap)
        self._covered: defaultdict[Timeframe, Spans] = defaultdict(tuple)
        self._empty: defaultdict[Timeframe, Spans] = defaultdict(tuple)

    def report(self, candle: Candle) -> Spans:
        """Merge what a writer says; the time that this changed, if any."""
        row = _Row(candle, derived=False)
        return (row.span,) if self._write(row) else ()

    def candles(
        self, timeframe: Timeframe, start: datetime | None, end: datetime | None, limit: int, newest_first: bool
    ) -> list[Candle]:
        """See Store."""
        rows = self._rows[timeframe].between(start, end, limit=limit, newest_first=newest_first)
        return [row.candle for row in rows]

    def coverage(self, timeframe: Timeframe, span: Span) -> Coverage:
        """See Store."""
        return Coverage(covered=clip(self._covered[timeframe], span), empty=clip(self._empty[timeframe], span))

    def counts(self, timeframe: Timeframe, span: Span, closed: Iterable[Span]) -> list[DayCounts]:
        """See Store.count_candles."""
        outside = buckets_inside(closed, timeframe)
        rows = [row for row in self._rows[timeframe].between(span.start, span.end) if not contains(outside, row.span)]
        counted = Counter((_DAY.floor(row.candle.open_time), row.candle.source.label) for row in rows)
        silent = subtract(clip(self._empty[timeframe], Span(span.start, timeframe.ceil(span.end))), outside)
        for part in subtract(silent, (row.span for row in rows)):
            opening = timeframe.ceil(part.start)
            while opening < min(part.end, span.end):
                counted[_DAY.floor(opening), "empty"] += 1
                opening += timeframe.duration
        days = sorted({day for day, _ in counted})
        return [DayCounts(day, **{name: counted[day, name] for name in _COUNTED}) for day in days]

    def faults(self, timeframe: Timeframe, span: Span, queued: Spans) -> list[CoverageFault]:
        """See Store.audit_coverage; `queued` is the time that waits for a drain."""
        opens, closes = timeframe.ceil(span.start), timeframe.ceil(span.end)
        if opens >= closes:
            return []
        rows = list(self._rows[timeframe].between(opens, closes))
        held = union(row.span for row in rows if row.candle.complete)
        known = self.coverage(timeframe, Span(opens, closes))
        waiting = buckets_touching(queued, timeframe)
        called_empty = intersect(known.empty, (row.span for row in rows))
        unknown = subtract(union(subtract(held, known.covered), called_empty), waiting)
        lost = subtract(subtract(known.covered, held), waiting)
        found = [(one, True) for one in unknown] + [(one, False) for one in lost]
        return [CoverageFault(timeframe, *one) for one in sorted(found)]

    def mark_empty(self, timeframe: Timeframe, spans: Iterable[Span]) -> Spans:
        """Learn that whole buckets had no trades, but for the minutes that have a candle; the time that this changed.

        Emptiness is kept by the minute; coarser timeframes follow with the next drain.
        """
        said = buckets_inside(spans, timeframe)
        silent = subtract(said, (row.span for row in self._rows_in(M1, said)))
        news = subtract(silent, self._empty[M1])
        self._empty[M1] = union(self._empty[M1], news)
        return news

    def extent(self) -> Spans:
        """From the first candle to the end of the last, of any timeframe; nothing if there is none."""
        spans = [row.span for rows in self._rows.values() for row in rows.between(None, None)]
        return (Span(min(span.start for span in spans), max(span.end for span in spans)),) if spans else ()

    def drain(self, changed: Spans, kept: Sequence[Timeframe]) -> None:
        """Make coverage and the rolled up candles around `changed` what the reported candles say, finest first."""
        self._cover(M1, changed)
        for timeframe in TIMEFRAMES[1:]:
            finer = [one for one in kept if one.minutes < timeframe.minutes and timeframe.minutes % one.minutes == 0]
            buckets = buckets_touching(changed, timeframe)
            if timeframe in kept:
                self._roll_up(max(finer, key=lambda one: one.minutes), timeframe, buckets)
            else:
                self._remove_derived(timeframe, buckets, keep=frozenset())
            self._cover(timeframe, changed)

    def _cover(self, timeframe: Timeframe, changed: Spans) -> None:
        """Learn anew which of the changed buckets are held; a candle of any source ends an emptiness."""
        buckets = buckets_touching(changed, timeframe)
        rows = list(self._rows_in(timeframe, buckets))
        held = union(row.span for row in rows)
        covered = union(row.span for row in rows if row.candle.complete)
        silent = buckets_inside(self._empty_inside(buckets), timeframe)
        for bucket in buckets:
            self._covered[timeframe] = replace_inside(self._covered[timeframe], bucket, clip(covered, bucket))
            unheld = subtract(clip(silent, bucket), held)
            self._empty[timeframe] = replace_inside(self._empty[timeframe], bucket, unheld)

    def _empty_inside(self, buckets: Spans) -> Spans:
        """The minutes of `buckets` that are known to be empty."""
        return intersect(meeting(self._empty[M1], buckets), buckets)

    def _roll_up(self, finer: Timeframe, timeframe: Timeframe, buckets: Spans) -> None:
        children = [row.candle for row in self._rows_in(finer, buckets)]
        parents = rollup.roll_up(children, timeframe, self._empty_inside(buckets))
        for parent in parents:
            self._write(_Row(parent, derived=True))
        self._remove_derived(timeframe, buckets, keep=frozenset(parent.open_time for parent in parents))

    def _remove_derived(self, timeframe: Timeframe, buckets: Spans, keep: frozenset[datetime]) -> None:
        """Drop rolled up candles that nothing stands behind any more."""
        for row in list(self._rows_in(timeframe, buckets)):
            if row.derived and row.candle.open_time not in keep:
                self._rows[timeframe].remove(row.candle.open_time)

    def _write(self, row: "_Row") -> bool:
        """Insert or merge one row; whether that changed anything."""
        rows, open_time = self._rows[row.candle.timeframe], row.candle.open_time
        old = rows.get(open_time)
        kept = _settle(old, row) if old else _Row(replace(row.candle, revision=1), row.derived)
        rows.put(open_time, kept)
        return kept != old

    def _rows_in(self, timeframe: Timeframe, buckets: Spans) -> "Iterable[_Row]":
        """The rows that open inside `buckets`."""
        return (row for span in buckets for row in self._rows[timeframe].between(span.start, span.end))


@dataclass(frozen=True, slots=True)
class _Row:
    """A candle, and whether it was rolled up from finer ones rather than reported."""

    candle: Candle
    derived: bool

    @property
    def span(self) -> Span:
        return Span(self.candle.open_time, self.candle.close_time)


def _settle(old: _Row, new: _Row) -> _Row:
    """The merge rule with rolled up rows in it: between equals a report beats a rollup, and a rollup is made anew."""
    if not (old.derived or new.derived):
        return _Row(merge(old.candle, new.candle), derived=False)
    revision = old.candle.revision
    kept = _choose(old, new)
    if replace(kept, candle=replace(kept.candle, revision=revision)) == old:
        return old
    return replace(kept, candle=replace(kept.candle, revision=revision + 1))


def _choose(old: _Row, new: _Row) -> _Row:
    if old.derived and new.derived:
        return new
    return max(old, new, key=lambda row: (row.candle.source, row.candle.observed_at, not row.derived))
