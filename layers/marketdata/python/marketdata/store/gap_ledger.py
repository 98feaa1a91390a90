"""The gap ledger of the in-memory store; the same as the database's candle_gaps and its functions (migrations/).

Not safe for threads: MemoryStore holds the lock.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

from marketdata.compute.coverage import Spans, buckets_touching, clip, intersect, subtract, union
from marketdata.errors import EXCERPT_CHARACTERS_MAX
from marketdata.model.gap import HISTORY, UNRESOLVED, Gap, GapState
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe
from marketdata.model.times import EPOCH

Key = tuple[str, str]
"""(exchange, symbol)."""

# What a scan need not find again: somebody is at it, or the ledger names why it is missing.
_SPOKEN_FOR = (*UNRESOLVED, GapState.MARKET_CLOSED, GapState.UNRECOVERABLE)


class GapLedger:
    """Gaps by number; numbers only grow."""

    def __init__(self) -> None:
        self._gaps: dict[int, Gap] = {}
        self._numbers = count(1)

    def record(self, key: Key, timeframe: Timeframe, spans: Iterable[Span], cause: str, found_at: datetime) -> int:
        """See Store.record_gaps."""
        unresolved = [gap for gap in self._of(key, timeframe) if gap.state in UNRESOLVED]
        news = subtract(buckets_touching(spans, timeframe), (gap.span for gap in unresolved))
        ordered = cause == HISTORY
        open_gaps = [gap for gap in unresolved if gap.state is GapState.OPEN and (gap.cause == HISTORY) == ordered]
        grown = [part for part in union(news, (gap.span for gap in open_gaps)) if clip(news, part)]
        for part in grown:
            merged = [gap for gap in open_gaps if part.start <= gap.span.start and gap.span.end <= part.end]
            if merged:
                self._merge(merged, part)
            else:
                self._add(Gap(0, *key, timeframe, part, GapState.OPEN, cause, found_at))
        return len(grown)

    def select(
        self, states: Collection[GapState] | None, key: Key | None, limit: int, after_id: int | None
    ) -> list[Gap]:
        """See Store.gaps."""
        chosen = (
            gap
            for number, gap in sorted(self._gaps.items())
            if number > (after_id or 0)
            and (states is None or gap.state in states)
            and (key is None or (gap.exchange, gap.symbol) == key)
        )
        return [gap for gap, _ in zip(chosen, range(limit), strict=False)]

    def claim(self, worker: str, now: datetime, lease: timedelta, limit: int, exchange: str | None) -> list[Gap]:
        """See Store.claim_gaps."""
        due = [gap for gap in self._gaps.values() if _due(gap, now) and exchange in (None, gap.exchange)]
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
        self._gaps.update((gap.id, gap) for gap in leased)
        return leased

    def resolve(self, gap: Gap, state: GapState, now: datetime, reason: str) -> bool:
        """See Store.resolve_gap."""
        kept = self._gaps.get(gap.id)
        if kept is None or not _same_lease(kept, gap):
            return False
        if kept.state is GapState.LEASED:
            self._gaps[gap.id] = _resolved(kept, state, now, reason)
        return self._gaps[gap.id].state is state

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
        kept = self._gaps.get(gap.id)
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
        for gap in self._gaps_by_number():
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
        return union(gap.span for gap in self._of(key, timeframe))

    def spoken_for(self, key: Key, timeframe: Timeframe) -> Spans:
        """The time that a scan need not find again."""
        return union(gap.span for gap in self._of(key, timeframe) if gap.state in _SPOKEN_FOR)

    def _of(self, key: Key, timeframe: Timeframe) -> Iterator[Gap]:
        wanted = (*key, timeframe)
        return (gap for gap in self._gaps_by_number() if (gap.exchange, gap.symbol, gap.timeframe) == wanted)

    def _gaps_by_number(self) -> list[Gap]:
        return [self._gaps[number] for number in sorted(self._gaps)]

    def _add(self, gap: Gap) -> None:
        number = next(self._numbers)
        self._gaps[number] = replace(gap, id=number)

    def _merge(self, merged: Sequence[Gap], span: Span) -> None:
        """Let the oldest of these open gaps be all of `span`, for the others too."""
        oldest = merged[0]
        earliest = min(gap.retry_at or EPOCH for gap in merged)
        for gap in merged[1:]:
            del self._gaps[gap.id]
        self._gaps[oldest.id] = replace(
            oldest,
            span=span,
            found_at=min(gap.found_at for gap in merged),
            attempts=max(gap.attempts for gap in merged),
            worker=None,
            retry_at=None if earliest == EPOCH else earliest,
        )

    def _keep(self, gap: Gap, parts: Sequence[Gap], now: datetime) -> None:
        """Let `gap` be the first of `parts`, which are in order; the others become gaps, and the rest is filled."""
        if not parts:
            self._gaps[gap.id] = _resolved(gap, GapState.FILLED, now, "")
            return
        self._gaps[gap.id] = parts[0]
        for part in parts[1:]:
            self._add(part)
        for span in subtract([gap.span], (part.span for part in parts)):
            self._add(_resolved(replace(gap, span=span), GapState.FILLED, now, ""))


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
