"""The buckets of one instrument that are in memory, and the ends of those that the store alone has. Kept by bars.

What is put away or forgotten is not opened again: it would be a candle of one trade. An end is (end of the bucket, id
of its last trade), so that what is in memory still knows its neighbours.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator

from marketdata.compute.bucket import Bucket
from marketdata.model.timeframe import Timeframe
from marketdata.model.trade import Trade

ENDS_MAX = 10_000
LONG_AGO_NS = -(2**63)

IsProven = Callable[[Bucket], bool]


class Buckets:
    """Buckets by their opening; of more than `buckets_max` the oldest are forgotten."""

    def __init__(self, timeframe: Timeframe, buckets_max: int | None) -> None:
        self.newest: Bucket | None = None
        self._timeframe = timeframe
        self._buckets_max = buckets_max
        self._by_start: dict[int, Bucket] = {}
        self._starts: list[int] = []
        self._ends: list[tuple[int, int]] = []
        self._forgotten_before_ns = LONG_AGO_NS

    def __iter__(self) -> Iterator[Bucket]:
        return iter(self._by_start.values())

    def get(self, start_ns: int) -> Bucket | None:
        """The bucket that opens then."""
        return self._by_start.get(start_ns)

    @property
    def oldest(self) -> Bucket | None:
        """The one that opens first."""
        return self._by_start[self._starts[0]] if self._starts else None

    def open(self, trade: Trade, start_ns: int) -> Bucket:
        """A bucket for this trade, which is yet to be joined."""
        bucket = Bucket.opened_by(trade, start_ns, start_ns + self._timeframe.duration_ns)
        self._by_start[start_ns] = bucket
        insort(self._starts, start_ns)
        if self.newest is None or start_ns > self.newest.start_ns:
            self.newest = bucket
        return bucket

    def is_settled(self, start_ns: int) -> bool:
        """Whether the store alone has the bucket that opens then."""
        if start_ns < self._forgotten_before_ns:
            return True
        end_ns = start_ns + self._timeframe.duration_ns
        at = bisect_left(self._ends, (end_ns,))
        return at < len(self._ends) and self._ends[at][0] == end_ns

    def put_away(self, bucket: Bucket) -> None:
        """Leave a bucket to the store; it still stands between its neighbours."""
        self._starts.remove(bucket.start_ns)
        del self._by_start[bucket.start_ns]
        self.note_end(bucket.end_ns, bucket.last_id)
        if bucket is self.newest:
            self.newest = self._by_start[self._starts[-1]] if self._starts else None

    def note_end(self, end_ns: int, last_id: int) -> None:
        """The store has a bucket that ended then, with this last trade."""
        end, at = (end_ns, last_id), bisect_left(self._ends, (end_ns,))
        if at < len(self._ends) and self._ends[at][0] == end_ns:
            self._ends[at] = max(self._ends[at], end)
        else:
            self._ends.insert(at, end)
        del self._ends[: len(self._ends) - ENDS_MAX]

    def forget(self) -> list[int]:
        """Drop the oldest beyond the bound; returns their openings."""
        forgotten = []
        while self._buckets_max is not None and len(self._starts) > self._buckets_max:
            start_ns = self._starts.pop(0)
            self._forgotten_before_ns = self._by_start.pop(start_ns).end_ns
            forgotten.append(start_ns)
        return forgotten

    def end_before(self, bucket: Bucket) -> tuple[int, int] | None:
        """(end, last trade id) of the bucket before this one, in memory or put away."""
        at = bisect_left(self._starts, bucket.start_ns)
        put_away = bisect_left(self._ends, (bucket.start_ns + 1,))
        ends = self._ends[max(0, put_away - 1) : put_away]
        if at:
            before = self._by_start[self._starts[at - 1]]
            ends.append((before.end_ns, before.last_id))
        return max(ends, key=_end_ns, default=None)

    def ends_with(self, last_id: int | None) -> list[int]:
        """Where the newest buckets, in memory or put away, end, if their last trade is this one."""
        newest = [(self.newest.end_ns, self.newest.last_id)] if self.newest is not None else []
        return [end_ns for end_ns, last in (*newest, *self._ends[-1:]) if last == last_id]

    def end_of_what_precedes(self, first_id: int, is_proven: IsProven) -> int | None:
        """Where the bucket of the trade before this id ends, if it is proven, else where it begins."""
        before = [bucket for bucket in self if bucket.first_id < first_id]
        ends = [bucket.end_ns if is_proven(bucket) else bucket.start_ns for bucket in before]
        return max([*ends, *(end_ns for end_ns, last in self._ends if last < first_id)], default=None)

    def start_of_what_follows(self, last_id: int, is_proven: IsProven, now_ns: int) -> int:
        """Where the bucket of the trade after this id begins, if it is proven, else ends; or the open one."""
        after = [bucket for bucket in self if bucket.last_id > last_id]
        starts = [bucket.start_ns if is_proven(bucket) else bucket.end_ns for bucket in after]
        starts += [self._timeframe.floor_ns(end_ns - 1) for end_ns, last in self._ends if last > last_id]
        return min(starts, default=self._timeframe.floor_ns(now_ns))


def _end_ns(end: tuple[int, int]) -> int:
    return end[0]
