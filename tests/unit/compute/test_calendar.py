"""When markets trade: weeks of foreign exchange begin and end by New York's clock, whatever that clock does."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.compute.calendar import closed, trading
from marketdata.compute.coverage import intersect, union
from marketdata.model.instrument import Calendar
from marketdata.model.span import Span
from marketdata.model.timeframe import M1

NEW_YORK = ZoneInfo("America/New_York")
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
LENGTHS = st.timedeltas(timedelta(minutes=1), timedelta(days=800))


def span(start: str, end: str) -> Span:
    return Span(datetime.fromisoformat(f"{start}+00:00"), datetime.fromisoformat(f"{end}+00:00"))


def is_open(moment: datetime) -> bool:
    """The rule in a person's words."""
    there = moment.astimezone(NEW_YORK)
    match there.strftime("%a"):
        case "Fri":
            return there.hour < 17
        case "Sat":
            return False
        case "Sun":
            return there.hour >= 17
    return True


@pytest.mark.parametrize(
    ("week", "shut"),
    [
        (("2026-08-03T00:00", "2026-08-10T00:00"), ("2026-08-07T21:00", "2026-08-09T21:00")),
        (("2026-01-12T00:00", "2026-01-19T00:00"), ("2026-01-16T22:00", "2026-01-18T22:00")),
        # Clocks go forward on Sunday 8 March 2026: the weekend has 47 hours, and the week after begins an hour earlier.
        (("2026-03-02T00:00", "2026-03-09T00:00"), ("2026-03-06T22:00", "2026-03-08T21:00")),
        # And back on Sunday 1 November 2026: 49 hours.
        (("2026-10-26T00:00", "2026-11-02T00:00"), ("2026-10-30T21:00", "2026-11-01T22:00")),
        (("2025-12-29T00:00", "2026-01-05T00:00"), ("2026-01-02T22:00", "2026-01-04T22:00")),
        # Before 2007 the clocks of New York changed in April.
        (("2004-03-29T00:00", "2004-04-05T00:00"), ("2004-04-02T22:00", "2004-04-04T21:00")),
    ],
)
def test_the_market_closes_from_friday_to_sunday_in_new_york(week: tuple[str, str], shut: tuple[str, str]) -> None:
    assert closed(Calendar.FX, span(*week)) == (span(*shut),)


def test_a_year_has_its_weekends_and_they_are_two_days_long_on_average() -> None:
    year = span("2026-01-05T00:00", "2027-01-04T00:00")
    shut = closed(Calendar.FX, year)
    assert len(shut) == 52
    lengths = [one.end - one.start for one in shut]
    assert sum(lengths, timedelta()) == timedelta(days=104)
    assert sorted(set(lengths)) == [timedelta(hours=47), timedelta(hours=48), timedelta(hours=49)]


@given(start=MOMENTS, length=LENGTHS)
def test_a_market_that_never_closes_trades_all_the_time(start: datetime, length: timedelta) -> None:
    whole = Span(start, start + length)
    assert closed(Calendar.ALWAYS, whole) == ()
    assert trading(Calendar.ALWAYS, whole) == (whole,)


@given(start=MOMENTS, length=LENGTHS)
def test_every_moment_is_either_closed_or_traded(start: datetime, length: timedelta) -> None:
    whole = Span(start, start + length)
    shut, opened = closed(Calendar.FX, whole), trading(Calendar.FX, whole)
    assert union(shut, opened) == (whole,)
    assert intersect(shut, opened) == ()


@given(moment=MOMENTS)
def test_a_minute_is_closed_exactly_when_new_york_s_clock_says_so(moment: datetime) -> None:
    minute = M1.floor(moment)
    assert (closed(Calendar.FX, Span(minute, minute + M1.duration)) == ()) is is_open(minute)


@given(moment=MOMENTS, first=LENGTHS, second=LENGTHS)
def test_a_span_in_two_parts_says_what_the_whole_says(moment: datetime, first: timedelta, second: timedelta) -> None:
    middle = moment + first
    parts = (Span(moment, middle), Span(middle, middle + second))
    assert union(*(closed(Calendar.FX, part) for part in parts)) == closed(Calendar.FX, Span(moment, middle + second))


@pytest.mark.parametrize("year", range(2000, 2040))
def test_sessions_begin_and_end_on_whole_hours_of_utc_in_every_year(year: int) -> None:
    shut = closed(Calendar.FX, Span(datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)))
    edges = [edge for one in shut for edge in (one.start, one.end)]
    inside = [edge for edge in edges if (edge.month, edge.day, edge.hour) != (1, 1, 0)]
    assert {edge.hour for edge in inside} == {21, 22}


def test_the_beginning_of_time_is_no_trouble() -> None:
    whole = Span(datetime(1, 1, 1, tzinfo=UTC), datetime(1970, 1, 6, tzinfo=UTC))
    assert closed(Calendar.FX, whole) == (span("1970-01-02T22:00", "1970-01-04T22:00"),)
