"""RFC 3339 times of exchanges to exact nanoseconds, fast: successive trades share all but the fraction of a second."""

from datetime import UTC, datetime

from marketdata.model.times import nanoseconds

# (text up to and including the point, its nanoseconds): one tuple, so that a reader never sees half of a new pair.
_latest: list[tuple[str, int]] = [("?", 0)]


def iso_nanoseconds(text: str) -> int:
    """Nanoseconds since the epoch of `2018-05-21T00:26:05.585000Z`; digits beyond the ninth are cut off.

    An offset such as `+02:00` is understood; a time without one is refused. Raises: ValueError.
    """
    prefix, second_ns = _latest[0]
    if text.startswith(prefix) and text[26:] == "Z":
        fraction = text[20:26]
        if fraction.isdecimal():
            return second_ns + int(fraction) * 1000
    return _any_nanoseconds(text)


def _any_nanoseconds(text: str) -> int:
    whole, fraction, offset = _split(text)
    time = datetime.fromisoformat(whole + offset)
    if time.tzinfo is None:
        raise ValueError(f"time {text!r} has no zone")
    second_ns = nanoseconds(time.astimezone(UTC))
    if offset == "+00:00":
        _latest[0] = (whole + ".", second_ns)
    return second_ns + int(fraction[:9].ljust(9, "0"))


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
    return whole, digits or "0", "+00:00" if rest in ("Z", "z") else rest
