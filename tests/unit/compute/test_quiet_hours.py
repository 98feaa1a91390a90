"""Quiet hours are hours of somebody's clock."""

from datetime import UTC, datetime

import pytest
from marketdata.compute.quiet_hours import quiet_hours, quiet_until
from marketdata.errors import RequestInvalid
from marketdata.model.alert_target import QuietHours

NIGHT = QuietHours("22:00", "07:00", "Europe/Berlin")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00").astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-08-31T19:59", None),
        ("2026-08-31T20:00", "2026-09-01T05:00"),
        ("2026-09-01T04:59", "2026-09-01T05:00"),
        ("2026-09-01T05:00", None),
        # Clocks were put back at 01:00 UTC: the night ends an hour later.
        ("2026-10-24T23:00", "2026-10-25T06:00"),
        # And put forward in March: an hour earlier.
        ("2027-03-27T23:00", "2027-03-28T05:00"),
    ],
)
def test_a_night_lasts_from_ten_to_seven_on_the_clocks_of_its_zone(now: str, until: str | None) -> None:
    assert quiet_until(NIGHT, utc(now)) == (utc(until) if until else None)


def test_hours_of_one_day_are_over_on_that_day_and_nobody_is_quiet_by_default() -> None:
    lunch = QuietHours("12:00", "13:00", "UTC")
    assert quiet_until(lunch, utc("2026-08-31T12:30")) == utc("2026-08-31T13:00")
    assert quiet_until(lunch, utc("2026-08-31T13:00")) is None
    assert quiet_until(None, utc("2026-08-31T12:30")) is None


def test_they_are_written_as_hours_and_a_zone() -> None:
    assert quiet_hours("22:00-07:00 Europe/Berlin") == NIGHT
    for wrong in ("", "22:00", "22:00-25:00 UTC", "22:00-07:00 Nowhere/Land", "07:00-07:00 UTC", "22:00-07:00 ../etc"):
        with pytest.raises(RequestInvalid):
            quiet_hours(wrong)
