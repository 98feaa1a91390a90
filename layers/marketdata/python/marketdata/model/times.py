"""Exchange times: exact nanoseconds inside, aware UTC datetimes at the edges.

A trade's time is an integer because a datetime holds microseconds, and rounding 59.9999999 up would move a trade to the
next minute.
"""

from datetime import UTC, datetime, timedelta

NANOSECONDS_A_SECOND = 1_000_000_000
NANOSECONDS_A_MICROSECOND = 1_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def nanoseconds(time: datetime) -> int:
    """Nanoseconds since the epoch of an aware datetime."""
    return (time - EPOCH) // _MICROSECOND * NANOSECONDS_A_MICROSECOND


def utc(time_ns: int) -> datetime:
    """The aware UTC datetime of `time_ns`, nanoseconds below a microsecond cut off."""
    return EPOCH + timedelta(microseconds=time_ns // NANOSECONDS_A_MICROSECOND)


def rfc3339(time: datetime) -> str:
    """`2026-08-09T21:05:00Z`, with a fraction only where there is one."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
