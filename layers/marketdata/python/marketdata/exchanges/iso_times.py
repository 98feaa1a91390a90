"""RFC 3339 times of exchanges to exact nanoseconds, fast: successive trades share all but the fraction of a second."""

import re
from datetime import UTC, datetime

from marketdata.model.times import nanoseconds

# (text up to and including the point, the least text that sorts after all that begin so, nanoseconds of the second):
# one tuple, so that a reader never sees a part of a new one.
_latest: list[tuple[str, str, int]] = [("?", "?", 0)]
_parse = datetime.fromisoformat

# The parser takes `05:12Z` and `05xZ` for fractions of a second, so what follows the fraction is checked before.
_OFFSET = re.compile(r"[Zz]?|[+-]\d\d:?\d\d", re.ASCII)


def iso_nanoseconds(text: str) -> int:
    """Nanoseconds since the epoch of `2018-05-21T00:26:05.585000Z`; digits beyond the ninth are cut off.

    An offset such as `+02:00` is understood; a time without one is refused. Raises: ValueError.
    """
    second, after, second_ns = _latest[0]
    if len(text) != 27 or text[26] != "Z":
        return _any_nanoseconds(text)
    if not second < text < after:
        second_ns = _turn_second(text)
    # Six digits fit a datetime. Its parser checks them too, and costs half of what slicing them out does.
    return second_ns + _parse(text).microsecond * 1_000


def _turn_second(text: str) -> int:
    whole = text[:19]
    if whole[10] not in "T " or text[19] != ".":
        raise ValueError(f"not a time: {text!r}")
    second_ns = nanoseconds(_parse(whole + "+00:00"))
    _latest[0] = (whole + ".", whole + "/", second_ns)
    return second_ns


def _any_nanoseconds(text: str) -> int:
    whole, fraction, offset = _split(text)
    time = _parse(whole + offset)
    if time.tzinfo is None:
        raise ValueError(f"time {text!r} has no zone")
    return nanoseconds(time.astimezone(UTC)) + int(fraction[:9].ljust(9, "0"))


def _split(text: str) -> tuple[str, str, str]:
    """The text to the second, the digits of the fraction, and the offset."""
    if not text.isascii() or not 20 <= len(text) <= 64 or text[10] not in "T ":
        raise ValueError(f"not a time: {text[:64]!r}")
    whole, rest = text[:19], text[19:]
    digits = ""
    if rest.startswith("."):
        end = 1
        while end < len(rest) and rest[end].isdecimal():
            end += 1
        digits, rest = rest[1:end], rest[end:]
    if not _OFFSET.fullmatch(rest):
        raise ValueError(f"not a time: {text!r}")
    return whole, digits or "0", "+00:00" if rest in ("Z", "z") else rest
