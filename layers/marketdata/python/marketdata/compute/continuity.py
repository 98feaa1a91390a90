"""Which trade ids of one instrument have been seen, as disjoint runs. A run without a hole is what proves a candle.

Called by compute/bars. Holds no trades: a day of an unbroken feed is a single pair of numbers.
"""

from bisect import bisect_right

RUNS_MAX = 10_000


class IdRuns:
    """A set of trade ids, kept as sorted, disjoint, closed runs `[first, last]`; adjacent runs are joined.

    At most `runs_max` runs are kept, the oldest (lowest) forgotten first: forgetting can only make a candle unproven.
    """

    def __init__(self, runs_max: int = RUNS_MAX) -> None:
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
        low = bisect_right(lasts, first - 2)
        high = bisect_right(firsts, last + 1)
        if low < high:
            first, last = min(first, firsts[low]), max(last, lasts[high - 1])
        firsts[low:high] = [first]
        lasts[low:high] = [last]
        if len(firsts) > self._runs_max:
            del firsts[0], lasts[0]
