"""Times as callers write them."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from marketdata.errors import RequestInvalid
from marketdata.model.times import nanoseconds, rfc3339, utc
from marketdata.serve.request_times import boundary, time_ns

MOMENT = datetime(2026, 8, 9, 21, 5, tzinfo=UTC)
SECONDS = int(MOMENT.timestamp())

zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1971, 1, 1), datetime(9998, 1, 1), timezones=zones)  # noqa: DTZ001
nanosecond_counts = st.integers(10**17, nanoseconds(datetime(9998, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize(
    "text",
    [
        "2026-08-09T21:05:00Z",
        "2026-08-09t21:05:00z",
        "2026-08-09T21:05Z",
        "2026-08-09 21:05:00",
        "2026-08-09T23:05:00+02:00",
        "2026-08-09T23:05:00+0200",
        "2026-08-09T23:05:00 02:00",
        "2026-08-09T16:05:00.000-05:00",
        str(SECONDS),
        f"{SECONDS}000",
        f"{SECONDS}000000",
        f"{SECONDS}000000000",
    ],
)
def test_one_moment_in_every_usual_form(text: str) -> None:
    assert boundary(text, "start") == MOMENT


def test_a_date_is_its_midnight_in_utc() -> None:
    assert boundary("2026-08-09", "start") == datetime(2026, 8, 9, tzinfo=UTC)


@given(moments)
def test_rfc_3339_in_any_zone_is_read_to_the_microsecond(moment: datetime) -> None:
    assert boundary(moment.isoformat(), "start") == moment
    assert boundary(rfc3339(moment), "start") == moment


@given(nanosecond_counts)
def test_nanoseconds_are_read_exactly(count: int) -> None:
    assert time_ns(str(count), "time") == count


@given(st.integers(0, 10**11 - 1))
@example(0)
def test_an_integer_below_a_hundred_thousand_million_is_seconds(count: int) -> None:
    if not (len(str(count)) == 8 and str(count)[:2] in {"19", "20"}):
        assert time_ns(str(count), "time") == count * 10**9


@given(nanosecond_counts, st.integers(0, 2**33))
def test_a_boundary_compares_with_whole_microseconds_as_the_time_itself_does(count: int, offset: int) -> None:
    moment = utc(count - offset)
    assert (moment >= boundary(str(count), "start")) is (nanoseconds(moment) >= count)


def test_digits_below_a_nanosecond_are_cut_off() -> None:
    assert time_ns("1971-01-01T00:00:00.1234567899Z", "time") == 31_536_000_123_456_789


@given(st.text(max_size=40))
def test_whatever_is_written_is_a_time_or_the_callers_mistake(text: str) -> None:
    with suppress(RequestInvalid):
        assert time_ns(text, "start") >= 0


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2026-02-30",
        "2026-08-09T25:00:00Z",
        "2026-08-09T21:05:00+99:00",
        "-1",
        "9" * 23,
        "1" * 30,
        "",
        "12:00",
    ],
)
def test_what_is_no_time_is_refused_by_name(text: str) -> None:
    with pytest.raises(RequestInvalid) as refused:
        time_ns(text, "end")
    assert refused.value.field == "end"


def test_a_date_without_dashes_is_asked_about() -> None:
    with pytest.raises(RequestInvalid, match="did you mean 2026-08-09"):
        time_ns("20260809", "start")
