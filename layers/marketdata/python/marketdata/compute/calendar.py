"""When markets trade: which part of a span a market was closed in. Called by scans, repairs, answers and reports.

Only what is certain is called closed, because a closed minute is never asked for. Holidays, and pauses of some minutes
around 17:00 New York, differ by venue: those minutes stay expected until the exchange says that nobody traded.
Source: OANDA, hours of operation ("5 p.m. Sunday to 5 p.m. Friday, New York time"); its daily candles align to the same
hour (docs/data-semantics.md, "Calendars").
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from marketdata.compute.coverage import Spans, clip, subtract
from marketdata.model.instrument import Calendar
from marketdata.model.span import Span
from marketdata.model.times import EPOCH

NEW_YORK = ZoneInfo("America/New_York")
SESSION_EDGE = time(17)
"""New York's clock when a week of foreign exchange begins and ends; far from the hour that daylight saving moves."""

_A_DAY = timedelta(days=1)
_A_WEEK = timedelta(days=7)
_FRIDAY = 4


def closed(calendar: Calendar, span: Span) -> Spans:
    """The parts of `span` in which the market was closed, oldest first; none before 1970, of which zones say little."""
    if calendar is Calendar.ALWAYS or span.end <= EPOCH:
        return ()
    known = Span(max(span.start, EPOCH), span.end)
    return clip(_weekends(known), known)


def trading(calendar: Calendar, span: Span) -> Spans:
    """The parts of `span` in which the market traded, or may have, oldest first."""
    return subtract([span], closed(calendar, span))


def _weekends(span: Span) -> Iterator[Span]:
    """Friday to Sunday 17:00 New York, every one that meets `span`."""
    first = (span.start - _A_WEEK).date()
    friday = first + (_FRIDAY - first.weekday()) % 7 * _A_DAY
    # A day more than needed, because New York's date may be the day before.
    while friday <= span.end.date():
        yield Span(_edge(friday), _edge(friday + 2 * _A_DAY))
        friday += _A_WEEK


def _edge(day: date) -> datetime:
    return datetime.combine(day, SESSION_EDGE, NEW_YORK).astimezone(UTC)
