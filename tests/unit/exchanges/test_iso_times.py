"""Exchange times to exact nanoseconds."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.exchanges.iso_times import iso_nanoseconds
from marketdata.model.times import nanoseconds

SECOND_NS = nanoseconds(datetime(2018, 5, 21, 0, 26, 5, tzinfo=UTC))

EARLIEST, LATEST = datetime(1971, 1, 1), datetime(2200, 1, 1)  # noqa: DTZ001 - the strategy wants them naive


@pytest.mark.parametrize(
    ("text", "fraction_ns"),
    [
        ("2018-05-21T00:26:05.585000Z", 585_000_000),
        ("2018-05-21T00:26:05.585Z", 585_000_000),
        ("2018-05-21T00:26:05Z", 0),
        ("2018-05-21T00:26:05.228971266Z", 228_971_266),
        ("2018-05-21T00:26:05.9999999999Z", 999_999_999),
        ("2018-05-21T02:26:05.5+02:00", 500_000_000),
        ("2018-05-21T00:26:05.000001+00:00", 1_000),
    ],
)
def test_every_form_that_exchanges_send_is_read(text: str, fraction_ns: int) -> None:
    assert iso_nanoseconds(text) == SECOND_NS + fraction_ns
    assert iso_nanoseconds(text) == SECOND_NS + fraction_ns


def test_the_end_of_a_minute_is_never_rounded_into_the_next() -> None:
    assert iso_nanoseconds("2018-05-21T00:26:59.9999999999999Z") % (60 * 10**9) == 59_999_999_999


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2018-05-21T00:26:05.585",
        "2018-05-21",
        "2018-05-21T00:26:05.+85000Z",
        "2018-13-21T00:26:05Z",
        "2018-05-21T00:26:05.58:12Z",
        "2018-05-21T00:26:05.58500xZ",
        "2018-05-21T00:26:05.58500\u0661Z",
        "2018-05-21T00:27:05.58:12Z",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    iso_nanoseconds("2018-05-21T00:26:05.585000Z")
    with pytest.raises(ValueError, match=r".*"):
        iso_nanoseconds(text)


@given(st.lists(st.datetimes(EARLIEST, LATEST), min_size=1))
def test_it_agrees_with_the_slow_way_in_any_sequence(times: list[datetime]) -> None:
    for time in times:
        aware = time.replace(tzinfo=UTC)
        assert iso_nanoseconds(f"{time:%Y-%m-%dT%H:%M:%S.%f}Z") == nanoseconds(aware)
