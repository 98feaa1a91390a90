"""The gaps of the in-memory ledger, found by number, by instrument, and the unresolved ones by their place in time.

Not safe for threads: MemoryStore holds the lock.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from marketdata.model.gap import UNRESOLVED, Gap, GapState
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe
from marketdata.store.news_book import NewsBook
from marketdata.store.sorted_map import SortedMap

Line = tuple[str, str, Timeframe]
"""(exchange, symbol, timeframe): gaps of one line that are unresolved never overlap."""


class GapIndex:
    """Gaps by number; `on_given_up` hears of each that becomes unrecoverable."""

    def __init__(self, on_given_up: Callable[[Gap], None]) -> None:
        self._on_given_up = on_given_up
        self.news = NewsBook[int]()
        self._gaps: dict[int, Gap] = {}
        # Numbers only; as dictionaries they keep the order in which they came.
        self._of_line: defaultdict[Line, dict[int, None]] = defaultdict(dict)
        self._unresolved: defaultdict[Line, SortedMap[int]] = defaultdict(SortedMap)

    def get(self, number: int) -> Gap | None:
        """The gap of that number."""
        return self._gaps.get(number)

    def put(self, gap: Gap) -> None:
        """Add a gap, or let it be what it has become."""
        line, old = line_of(gap), self._gaps.get(gap.id)
        if old and old.state in UNRESOLVED:
            self._unresolved[line].remove(old.span.start)
        self._gaps[gap.id] = gap
        if old is None or _told_otherwise(old, gap):
            self.news.note(gap.id)
        self._of_line[line][gap.id] = None
        if gap.state in UNRESOLVED:
            self._unresolved[line].put(gap.span.start, gap.id)
        if gap.state is GapState.UNRECOVERABLE and old and old.state is not gap.state:
            self._on_given_up(gap)

    def remove(self, gap: Gap) -> None:
        """Forget a gap."""
        if gap.state in UNRESOLVED:
            self._unresolved[line_of(gap)].remove(gap.span.start)
        del self._of_line[line_of(gap)][gap.id]
        del self._gaps[gap.id]
        self.news.forget(gap.id)

    def all(self) -> Iterator[Gap]:
        """Every gap, by number."""
        return (self._gaps[number] for number in sorted(self._gaps))

    def of(self, line: Line) -> Iterator[Gap]:
        """The gaps of one line."""
        return (self._gaps[number] for number in self._of_line[line])

    def unresolved(self) -> list[Gap]:
        """Every gap that is open or leased, by number."""
        numbers = (number for places in self._unresolved.values() for number in places.between(None, None))
        return [self._gaps[number] for number in sorted(numbers)]

    def around(self, line: Line, spans: Iterable[Span]) -> list[Gap]:
        """The unresolved gaps that `spans` overlap or touch, and the open ones that those touch, by their place."""
        found: dict[datetime, Gap] = {}
        for span in spans:
            for gap in (*self._before(line, span.start), *self._after(line, span.start, span.end)):
                found[gap.span.start] = gap
        return [found[start] for start in sorted(found)]

    def _before(self, line: Line, edge: datetime) -> Iterator[Gap]:
        """Those that begin before `edge` and reach it, one through the other."""
        for number in self._unresolved[line].between(None, edge, newest_first=True):
            gap = self._gaps[number]
            if gap.span.end < edge:
                return
            yield gap
            if gap.state is not GapState.OPEN:
                return
            edge = gap.span.start

    def _after(self, line: Line, start: datetime, edge: datetime) -> Iterator[Gap]:
        """Those that begin at `start` or later and no later than `edge`, which open ones move on."""
        for number in self._unresolved[line].between(start, None):
            gap = self._gaps[number]
            if gap.span.start > edge:
                return
            yield gap
            if gap.state is GapState.OPEN:
                edge = max(edge, gap.span.end)


def _told_otherwise(old: Gap, gap: Gap) -> bool:
    """Whether clients are told: a lease is not theirs to know."""
    leased = old.state in UNRESOLVED and gap.state in UNRESOLVED
    return gap.span != old.span or (gap.state is not old.state and not leased)


def line_of(gap: Gap) -> Line:
    """What the gap is a gap of."""
    return (gap.exchange, gap.symbol, gap.timeframe)
