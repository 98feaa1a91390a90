"""Calendar months and days of UTC: what the database keeps minutes and quotes, and trades, by."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from marketdata.model.span import Span


def month_of(time: datetime) -> Span:
    """The month that holds `time`."""
    start = time.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return Span(start, (start + timedelta(days=32)).replace(day=1))


def day_of(time: datetime) -> Span:
    """The day that holds `time`."""
    start = time.replace(hour=0, minute=0, second=0, microsecond=0)
    return Span(start, start + timedelta(days=1))


def by_month(span: Span) -> Iterator[Span]:
    """The parts of `span` that lie in one month each, oldest first."""
    start = span.start
    while start < span.end:
        end = min(month_of(start).end, span.end)
        yield Span(start, end)
        start = end
