"""Which trade ids of one instrument have been seen, as disjoint runs. A run without a hole is what proves a candle.

Called by compute/bars. A day of an unbroken feed is a single pair of numbers. Proof rests on ids that count up by one
and are never used again: how often they did not is counted too.
"""

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, fields

from marketdata.model.times import NANOSECONDS_A_SECOND
from marketdata.model.trade import Trade

RUNS_MAX = 10_000
RECENT_TRADES_MAX = 512

# Trades of one moment may be numbered in another order than they are dated; more than this is no moment.
DISORDER_NS_MAX = NANOSECONDS_A_SECOND


@dataclass(slots=True)
class Contiguity:
    """What trade ids showed since the feed started, of one instrument or summed over several. All are counts.

    `trades`: each one once, wherever it came from. `duplicates`: those that came again. `holes`: jumps over ids that
    had not been seen. `mended`: trades that were fetched. The others speak against counting on ids: `absent` ids never
    existed, says the exchange; `conflicting` ones came again with another content; `backwards` trades have a lower
    time than a lower id, by more than a second.
    """

    trades: int = 0
    duplicates: int = 0
    holes: int = 0
    mended: int = 0
    absent: int = 0
    conflicting: int = 0
    backwards: int = 0

    @property
    def violations(self) -> int:
        """How often ids were not what a proof takes them to be: each counted up by one, and never used again."""
        return self.absent + self.conflicting + self.backwards

    def add(self, other: "Contiguity") -> None:
        """Count another one's in."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


class RecentTrades:
    """The last few batches of trades, to compare one that comes again with. Keeps references, and works on demand."""

    def __init__(self) -> None:
        self._batches: deque[list[Trade]] = deque()
        self._count = 0
        self._by_id: dict[int, Trade] | None = None

    def remember(self, batch: list[Trade]) -> None:
        """Keep a batch; over RECENT_TRADES_MAX older ones go."""
        self._batches.append(batch)
        self._count += len(batch)
        self._by_id = None
        while self._count > RECENT_TRADES_MAX and len(self._batches) > 1:
            self._count -= len(self._batches.popleft())

    def contradicts(self, trade: Trade) -> bool:
        """Whether an earlier trade of this id was another one."""
        if self._by_id is None:
            # The earliest of an id is put last, and stays.
            self._by_id = {one.id: one for batch in reversed(self._batches) for one in reversed(batch)}
        known = self._by_id.get(trade.id, trade)
        if known.count != trade.count:
            # One of them is an aggregate: it has the same trade in it with others.
            return False
        same = (known.price, known.size, known.side) == (trade.price, trade.size, trade.side)
        return not same or abs(known.time_ns - trade.time_ns) > DISORDER_NS_MAX


class IdRuns:
    """A set of trade ids, kept as sorted, disjoint, closed runs `[first, last]`; adjacent runs are joined.

    At most `runs_max` runs are kept, the oldest (lowest) forgotten first: forgetting can only make a candle unproven.
    """

    def __init__(self, runs_max: int = RUNS_MAX) -> None:
        self.jumps = 0
        """How often an id came that lay beyond the one after the highest."""
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._runs_max = runs_max

    @property
    def highest(self) -> int | None:
        """The highest id seen; the one that a heartbeat's `last_trade_id` is compared with."""
        return self._lasts[-1] if self._lasts else None

    @property
    def holes(self) -> list[tuple[int, int]]:
        """The runs of ids between the lowest and the highest seen that were not seen, as closed pairs."""
        return [(last + 1, first - 1) for last, first in zip(self._lasts, self._firsts[1:], strict=False)]

    @property
    def lowest(self) -> int | None:
        """The lowest id seen and not forgotten."""
        return self._firsts[0] if self._firsts else None

    def missing(self, first: int, last: int) -> list[tuple[int, int]]:
        """The runs of ids from `first` to `last`, both included, that were not seen, as closed pairs."""
        found, at = [], first
        for low, high in zip(self._firsts, self._lasts, strict=True):
            if high < at:
                continue
            if low > last:
                break
            if low > at:
                found.append((at, low - 1))
            at = high + 1
        if at <= last:
            found.append((at, last))
        return found

    def covers(self, first: int, last: int) -> bool:
        """Whether every id from `first` to `last`, both included, has been seen."""
        at = bisect_right(self._firsts, first) - 1
        return at >= 0 and last <= self._lasts[at]

    def touches(self, first: int, last: int) -> bool:
        """Whether any id from `first` to `last`, both included, has been seen."""
        at = bisect_right(self._firsts, last) - 1
        return at >= 0 and first <= self._lasts[at]

    def add(self, first: int, last: int) -> None:
        """Mark the ids from `first` to `last`, both included, as seen."""
        lasts = self._lasts
        if lasts and self._firsts[-1] <= first <= lasts[-1] + 1:
            lasts[-1] = max(lasts[-1], last)
            return
        self._insert(first, last)

    def _insert(self, first: int, last: int) -> None:
        firsts, lasts = self._firsts, self._lasts
        if lasts and first > lasts[-1] + 1:
            self.jumps += 1
        low = bisect_right(lasts, first - 2)
        high = bisect_right(firsts, last + 1)
        if low < high:
            first, last = min(first, firsts[low]), max(last, lasts[high - 1])
        firsts[low:high] = [first]
        lasts[low:high] = [last]
        if len(firsts) > self._runs_max:
            del firsts[0], lasts[0]
