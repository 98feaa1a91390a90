"""Times as callers write them: RFC 3339, a date, or an integer count since the epoch."""

import re
from datetime import UTC, datetime, timedelta, timezone

from marketdata.errors import RequestInvalid
from marketdata.model.times import EPOCH, NANOSECONDS_A_SECOND, nanoseconds

FORMS = "RFC 3339 (2026-08-09T21:05:00Z), a date (2026-08-09), or s, ms, us or ns since 1970"

_NS_MAX = nanoseconds(datetime(9999, 12, 31, tzinfo=UTC))
_INTEGER = re.compile(r"-?\d{1,24}", re.ASCII)
_WRITTEN = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,30}))?)?(?:([Zz])|([+\- ])(\d\d):?(\d\d))?)?",
    re.ASCII,
)
_COMPACT_DATE = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])", re.ASCII)


def time_ns(text: str, field: str) -> int:
    """Nanoseconds since the epoch, cut below a nanosecond; a time without a zone is UTC.

    An integer is seconds, milliseconds, microseconds or nanoseconds by its magnitude: below 1e11, 1e14, 1e17, above.
    Raises: RequestInvalid naming `field`.
    """
    if _COMPACT_DATE.fullmatch(text):
        raise RequestInvalid(field, f"{text} is a time in 1970; did you mean {text[:4]}-{text[4:6]}-{text[6:]}?")
    if _INTEGER.fullmatch(text):
        found = _by_magnitude(int(text))
    elif written := _WRITTEN.fullmatch(text):
        found = _written_ns(written, field)
    else:
        raise RequestInvalid(field, f"{text[:64]!r} is not a time; write {FORMS}")
    if not 0 <= found <= _NS_MAX:
        raise RequestInvalid(field, f"{text[:64]!r} is not between 1970 and 9999")
    return found


def boundary(text: str, field: str) -> datetime:
    """The first microsecond at or after a time, so that comparing with it means what comparing with the time meant."""
    microseconds = -(-time_ns(text, field) // 1000)
    return EPOCH + timedelta(microseconds=microseconds)


def _by_magnitude(count: int) -> int:
    for most, ns in ((10**11, NANOSECONDS_A_SECOND), (10**14, 1_000_000), (10**17, 1_000)):
        if abs(count) < most:
            return count * ns
    return count


def _written_ns(written: re.Match[str], field: str) -> int:
    year, month, day, hour, minute, second, fraction, _, sign, offset_hours, offset_minutes = written.groups()
    try:
        # An unescaped plus in a query string arrives as a blank.
        ahead = timedelta(hours=int(offset_hours or 0), minutes=int(offset_minutes or 0))
        zone = timezone(-ahead if sign == "-" else ahead)
        time = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=zone
        )
        return nanoseconds(time) + int((fraction or "0")[:9].ljust(9, "0"))
    except (ValueError, OverflowError) as error:
        raise RequestInvalid(field, f"{written.group()!r} is not a time: {error}") from error
