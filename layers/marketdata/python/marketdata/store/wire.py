"""How times, numbers and spans look on their way to and from the database; the rows' own shapes are in `*_rows.py`.

Numbers travel as text in both directions, because JSON clients and gateways turn numbers into floats. Times go in as
RFC 3339 and come out as microseconds since the epoch.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from marketdata.model.span import Span
from marketdata.model.times import EPOCH, rfc3339

Row = dict[str, Any]


def number(value: Decimal | None) -> str | None:
    """The exact digits of a number."""
    return None if value is None else str(value)


def time_text(time: datetime | None) -> str | None:
    """A time as an argument of a database function."""
    return None if time is None else rfc3339(time)


def multirange(spans: Iterable[Span]) -> str:
    """A `tstzmultirange` literal."""
    return "{" + ",".join(f"[{rfc3339(span.start)},{rfc3339(span.end)})" for span in spans) + "}"


def spans(pairs: Sequence[tuple[int, int]]) -> tuple[Span, ...]:
    """Pairs of microseconds as spans."""
    return tuple(Span(time_of(start), time_of(end)) for start, end in pairs)


def time_of(microseconds: int) -> datetime:
    """Microseconds since the epoch as a time."""
    return EPOCH + timedelta(microseconds=microseconds)


def in_utc(value: Any) -> Any:
    """A time in UTC, whatever offset it came with; other values as they are."""
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def require_one_length(columns: msgspec.Struct) -> None:
    """Raises: ValueError, which a decoder reports as the answer's mistake."""
    lengths = {len(column) for column in msgspec.structs.astuple(columns)}
    if len(lengths) > 1:
        raise ValueError(f"columns of {sorted(lengths)} rows")
