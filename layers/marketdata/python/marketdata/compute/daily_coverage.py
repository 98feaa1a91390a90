"""How much of a day is held, known to be empty, or missing: the arithmetic of coverage reports, day by day."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from marketdata.compute.coverage import buckets_inside, subtract
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe, timeframe_named

_DAY = timeframe_named("1d")
_STEPS = 1_000_000


@dataclass(frozen=True, slots=True)
class DayCoverage:
    """The buckets of one instrument and timeframe that open on one UTC day, counted.

    `present`: held with a source above partial, of which `proven` are proven by trade ids. `no_trades`: the exchange
    confirmed that nobody traded. What is neither is `missing`, of which `partial` are held in part.
    """

    day: date
    expected: int
    present: int
    partial: int
    proven: int
    no_trades: int

    def __post_init__(self) -> None:
        assert 0 <= self.proven <= self.present, self
        assert 0 <= self.partial <= self.missing, self

    @property
    def missing(self) -> int:
        """How many are neither held whole nor known to be empty."""
        return self.expected - self.present - self.no_trades

    @property
    def coverage(self) -> float:
        """The share that is not missing, rounded down to six places so that 1 means all."""
        return (self.expected - self.missing) * _STEPS // self.expected / _STEPS


def expected_buckets(span: Span, timeframe: Timeframe, closed: Iterable[Span] = ()) -> dict[datetime, int]:
    """How many buckets open on each UTC day of `span`, by its midnight, oldest first; days without any are left out.

    A bucket of which all is `closed` time is not expected.
    """
    counts: dict[datetime, int] = {}
    for part in subtract([span], buckets_inside(closed, timeframe)):
        for midnight, number in _opening(part, timeframe):
            counts[midnight] = counts.get(midnight, 0) + number
    return counts


def _opening(span: Span, timeframe: Timeframe) -> Iterator[tuple[datetime, int]]:
    """How many buckets open on each UTC day of `span`, by its midnight."""
    midnight = _DAY.floor(span.start)
    while midnight < span.end:
        tomorrow = midnight + _DAY.duration
        first = timeframe.ceil(max(midnight, span.start))
        after = timeframe.ceil(min(tomorrow, span.end))
        if first < after:
            yield midnight, (after - first) // timeframe.duration
        midnight = tomorrow
