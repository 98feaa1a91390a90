"""The gap ledger of the in-memory store; the same as the database's candle_gaps and its functions (migrations/).

Not safe for threads: MemoryStore holds the lock.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count, islice

from marketdata.compute.coverage import (
    Spans,
    buckets_inside,
    buckets_touching,
    contains,
    intersect,
    pieces,
    subtract,
    union,
)
from marketdata.errors import EXCERPT_CHARACTERS_MAX
from marketdata.model.gap import HISTORY, UNRESOLVED, Gap, GapState
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, Timeframe
from marketdata.model.times import EPOCH
from marketdata.store.gap_index import GapIndex
from marketdata.store.news_book import NewsBook

Key = tuple[str, str]
"""(exchange, symbol)."""

# What a scan need not find again: somebody is at it, or the ledger names why it is missing.
_SPOKEN_FOR = (*UNRESOLVED, GapState.MARKET_CLOSED, GapState.UNRECOVERABLE)


class GapLedger:
    """Gaps by number; numbers only grow. `on_given_up` hears of each that becomes unrecoverable."""

    def __init__(self, on_given_up: Callable[[Gap], None]) -> None:
        self._index = GapIndex(on_given_up)
        self._numbers = count(1)

    @property
    def news(self) -> NewsBook[int]:
        """The numbers of gaps, in the order in which they changed last."""
        return self._index.news

    def get(self, number: int) -> Gap | None:
        """The gap of that number."""
        return self._index.get(number)

    def record(self, key: Key, timeframe: Timeframe, spans: Iterable[Span], cause: str, found_at: datetime) -> int:
        """See Store.record_gaps. Takes time by what the spans touch, not by what the ledger holds."""
        wanted = buckets_touching(spans, timeframe)
        around = self._index.around((*key, timeframe), wanted)
        news = subtract(wanted, (gap.span for gap in around))
        ordered = cause == HISTORY
        open_gaps = [gap for gap in around if gap.state is GapState.OPEN and (gap.cause == HISTORY) == ordered]
        parts = union(news, (gap.span for gap in open_gaps))
        grown = {_place(parts, span): list[Gap]() for span in news}
        for gap in open_gaps:
            if _place(parts, gap.span) in grown:
                grown[_place(parts, gap.span)].append(gap)
        for place, merged in grown.items():
            if merged:
                self._merge(sorted(merged, key=lambda gap: gap.id), parts[place])
            else:
                self._add(Gap(0, *key, timeframe, parts[place], GapState.OPEN, cause, found_at))
        return len(grown)

    def mark_closed(self, key: Key, spans: Iterable[Span], now: datetime) -> int:
        """See Store.mark_closed; the part of it that is about gaps."""
        whole = buckets_inside(spans, M1)
        self._split_at_sessions(key, whole)
        said = [gap for gap in self._index.of((*key, M1)) if gap.state is GapState.MARKET_CLOSED]
        kept = union(gap.span for gap in said)
        grown = [part for part in union(whole, kept) if not contains(kept, part)]
        for part in grown:
            merged = [gap for gap in said if part.start <= gap.span.start and gap.span.end <= part.end]
            for gap in merged[1:]:
                self._index.remove(gap)
            if merged:
                found_at = min(gap.found_at for gap in merged)
                self._index.put(replace(merged[0], span=part, found_at=found_at, repaired_at=now))
            else:
                self._add(Gap(0, *key, M1, part, GapState.MARKET_CLOSED, "calendar", now, repaired_at=now))
        return len(grown)

    def named(self, key: Key, spans: Spans) -> list[Gap]:
        """The gaps of minutes that meet `spans` and name why they are missing, in order of time."""
        line = self._index.of((*key, M1))
        meeting = (gap for gap in line if gap.state in _SPOKEN_FOR and pieces(spans, gap.span))
        return sorted(meeting, key=lambda gap: (gap.span, gap.id))

    def select(
        self, states: Collection[GapState] | None, key: Key | None, limit: int, after_id: int | None
    ) -> list[Gap]:
        """See Store.gaps."""
        chosen = (
            gap
            for gap in self._index.all()
            if gap.id > (after_id or 0)
            and (states is None or gap.state in states)
            and (key is None or (gap.exchange, gap.symbol) == key)
        )
        return list(islice(chosen, limit))

    def claim(self, worker: str, now: datetime, lease: timedelta, limit: int, exchange: str | None) -> list[Gap]:
        """See Store.claim_gaps."""
        due = [gap for gap in self._index.unresolved() if _due(gap, now) and exchange in (None, gap.exchange)]
        due.sort(key=lambda gap: (gap.cause != HISTORY, gap.span.end, gap.span.start, -gap.id), reverse=True)
        leased = [
            replace(
                gap,
                state=GapState.LEASED,
                worker=worker,
                attempts=gap.attempts + 1,
                lease_until=now + lease,
                retry_at=None,
            )
            for gap in due[:limit]
        ]
        for gap in leased:
            self._index.put(gap)
        return leased

    def resolve(self, gap: Gap, state: GapState, now: datetime, reason: str) -> bool:
        """See Store.resolve_gap."""
        kept = self._index.get(gap.id)
        if kept is None or not _same_lease(kept, gap):
            return False
        if kept.state is GapState.LEASED:
            self._index.put(_resolved(kept, state, now, reason))
            return True
        return kept.state is state

    def release(
        self,
        gap: Gap,
        now: datetime,
        *,
        retry_at: datetime,
        reason: str,
        remaining: Sequence[Span] | None,
        untouched: Sequence[Span],
    ) -> bool:
        """See Store.release_gap."""
        kept = self._index.get(gap.id)
        if kept is None or not _same_lease(kept, gap):
            return False
        if kept.state is not GapState.LEASED:
            done = remaining is not None and not remaining and not untouched
            again = kept.state is GapState.OPEN and kept.retry_at in {None, retry_at}
            return kept.state is GapState.FILLED if done else again
        later = buckets_touching(untouched, kept.timeframe)
        left = subtract((kept.span,) if remaining is None else buckets_touching(remaining, kept.timeframe), later)
        opened = replace(kept, state=GapState.OPEN, lease_until=None, retry_at=None, reason="")
        tried = replace(opened, retry_at=retry_at, reason=reason[:EXCERPT_CHARACTERS_MAX])
        parts = [replace(tried, span=part) for part in intersect(left, [kept.span])]
        parts += [replace(opened, span=part) for part in intersect(later, [kept.span])]
        self._keep(kept, sorted(parts, key=lambda part: part.span), now)
        return True

    def close_covered(self, now: datetime, known: Callable[[Key, Timeframe, Span], Spans], limit: int) -> int:
        """See Store.close_covered_gaps; `known` is what is held or empty inside a span."""
        changed = 0
        for gap in self._index.unresolved():
            if changed < limit and (gap.state is GapState.OPEN or _lapsed(gap, now)):
                there = known((gap.exchange, gap.symbol), gap.timeframe, gap.span)
                if there:
                    opened = replace(gap, state=GapState.OPEN, worker=None, lease_until=None)
                    left = [replace(opened, span=part) for part in subtract([gap.span], there)]
                    self._keep(opened, left, now)
                    changed += 1
        return changed

    def ever(self, key: Key, timeframe: Timeframe) -> Spans:
        """All time that was ever on the ledger."""
        return union(gap.span for gap in self._index.of((*key, timeframe)))

    def spoken_for(self, key: Key, timeframe: Timeframe) -> Spans:
        """The time that a scan need not find again."""
        return union(gap.span for gap in self._index.of((*key, timeframe)) if gap.state in _SPOKEN_FOR)

    def prune(self, before: datetime, wanted_since: datetime, limit: int) -> list[Gap]:
        """Forget at most `limit` gaps that were resolved before and are of time that is not wanted; those that were."""
        ended = [(gap.repaired_at, gap.id, gap) for gap in self._index.all() if gap.repaired_at]
        old = sorted(one for one in ended if one[0] < before and one[2].span.end <= wanted_since)[:limit]
        for _, _, gap in old:
            self._index.remove(gap)
        return [gap for _, _, gap in old]

    def _split_at_sessions(self, key: Key, closed: Spans) -> None:
        """Take closed time off the unresolved gaps."""
        for gap in list(self._index.of((*key, M1))):
            if gap.state in UNRESOLVED and pieces(closed, gap.span):
                left = subtract([gap.span], closed)
                if left:
                    self._index.put(replace(gap, span=left[0]))
                else:
                    self._index.remove(gap)
                for part in left[1:]:
                    self._add(replace(gap, span=part, state=GapState.OPEN, lease_until=None))

    def _add(self, gap: Gap) -> None:
        self._index.put(replace(gap, id=next(self._numbers)))

    def _merge(self, merged: Sequence[Gap], span: Span) -> None:
        """Let the oldest of these open gaps be all of `span`, for the others too."""
        oldest = merged[0]
        earliest = min(gap.retry_at or EPOCH for gap in merged)
        for gap in merged[1:]:
            self._index.remove(gap)
        self._index.put(
            replace(
                oldest,
                span=span,
                found_at=min(gap.found_at for gap in merged),
                attempts=max(gap.attempts for gap in merged),
                worker=None,
                retry_at=None if earliest == EPOCH else earliest,
            )
        )

    def _keep(self, gap: Gap, parts: Sequence[Gap], now: datetime) -> None:
        """Let `gap` be the first of `parts`, which are in order; the others become gaps, and the rest is filled."""
        if not parts:
            self._index.put(_resolved(gap, GapState.FILLED, now, ""))
            return
        self._index.put(parts[0])
        for part in parts[1:]:
            self._add(part)
        for span in subtract([gap.span], (part.span for part in parts)):
            self._add(_resolved(replace(gap, span=span), GapState.FILLED, now, ""))


def _place(parts: Spans, span: Span) -> int:
    """Which of the sorted `parts` holds `span`."""
    return bisect_right(parts, span.start, key=lambda part: part.start) - 1


def _due(gap: Gap, now: datetime) -> bool:
    return _lapsed(gap, now) or (gap.state is GapState.OPEN and (gap.retry_at is None or gap.retry_at <= now))


def _lapsed(gap: Gap, now: datetime) -> bool:
    return gap.state is GapState.LEASED and gap.lease_until is not None and gap.lease_until <= now


def _same_lease(kept: Gap, claimed: Gap) -> bool:
    return kept.worker is not None and (kept.worker, kept.attempts) == (claimed.worker, claimed.attempts)


def _resolved(gap: Gap, state: GapState, now: datetime, reason: str) -> Gap:
    return replace(
        gap,
        state=state,
        lease_until=None,
        retry_at=None,
        repaired_at=now,
        reason=reason[:EXCERPT_CHARACTERS_MAX],
    )
