"""The timeframes that candles are kept in, and where their buckets begin."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from marketdata.errors import RequestInvalid
from marketdata.model.times import NANOSECONDS_A_SECOND, nanoseconds, utc

# 1970-01-01 was a Thursday; weekly buckets begin on Mondays.
_MONDAY_NS = 4 * 86_400 * NANOSECONDS_A_SECOND


@dataclass(frozen=True, slots=True)
class Timeframe:
    """A bucket length; buckets are aligned to UTC midnight, weeks to Monday."""

    name: str
    minutes: int

    @property
    def duration(self) -> timedelta:
        """How long one bucket is."""
        return timedelta(minutes=self.minutes)

    @property
    def duration_ns(self) -> int:
        """How long one bucket is, in nanoseconds."""
        return self.minutes * 60 * NANOSECONDS_A_SECOND

    def floor_ns(self, time_ns: int) -> int:
        """The opening of the bucket that holds `time_ns`."""
        return time_ns - (time_ns - _MONDAY_NS) % self.duration_ns

    def floor(self, time: datetime) -> datetime:
        """The opening of the bucket that holds `time`."""
        return utc(self.floor_ns(nanoseconds(time)))

    def ceil(self, time: datetime) -> datetime:
        """The first bucket opening at or after `time`."""
        floor = self.floor(time)
        return floor if floor == time else floor + self.duration

    def __str__(self) -> str:
        return self.name


M1 = Timeframe("1m", 1)
TIMEFRAMES: tuple[Timeframe, ...] = (
    M1,
    Timeframe("5m", 5),
    Timeframe("15m", 15),
    Timeframe("1h", 60),
    Timeframe("4h", 240),
    Timeframe("12h", 720),
    Timeframe("1d", 1440),
    Timeframe("1w", 10080),
)
_BY_NAME = {timeframe.name: timeframe for timeframe in TIMEFRAMES}
_BY_MINUTES = {timeframe.minutes: timeframe for timeframe in TIMEFRAMES}


def timeframe_named(name: str) -> Timeframe:
    """The timeframe of that name. Raises: RequestInvalid naming the ones there are."""
    if name not in _BY_NAME:
        raise RequestInvalid("timeframe", f"{name!r} is not one of {', '.join(_BY_NAME)}", tuple(_BY_NAME))
    return _BY_NAME[name]


def timeframe_of_minutes(minutes: int) -> Timeframe:
    """The timeframe of that length. Raises: RequestInvalid."""
    if minutes not in _BY_MINUTES:
        raise RequestInvalid("timeframe", f"no timeframe is {minutes} minutes long")
    return _BY_MINUTES[minutes]
