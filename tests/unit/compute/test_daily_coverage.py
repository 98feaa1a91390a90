"""Coverage reports, day by day."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.compute.daily_coverage import DayCoverage, expected_buckets
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, TIMEFRAMES, Timeframe, timeframe_named

SUNDAY = datetime(2026, 8, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def test_a_span_is_cut_at_utc_midnights() -> None:
    asked = Span(SUNDAY + timedelta(hours=23), SUNDAY + DAY + timedelta(minutes=5))
    assert expected_buckets(asked, M1) == {SUNDAY: 60, SUNDAY + DAY: 5}


def test_a_week_is_expected_on_its_monday_alone() -> None:
    assert expected_buckets(Span(SUNDAY, SUNDAY + 9 * DAY), timeframe_named("1w")) == {
        SUNDAY + DAY: 1,
        SUNDAY + 8 * DAY: 1,
    }


@given(st.integers(0, 20_000), st.integers(1, 20_000), st.sampled_from(TIMEFRAMES))
def test_every_bucket_that_opens_inside_is_expected_once(start: int, length: int, timeframe: Timeframe) -> None:
    first = SUNDAY + timedelta(minutes=start)
    asked = Span(first, first + timedelta(minutes=length))
    openings = (asked.start + timedelta(minutes=minute) for minute in range(length))
    assert sum(expected_buckets(asked, timeframe).values()) == sum(timeframe.floor(one) == one for one in openings)


def test_what_is_not_held_whole_and_not_empty_is_missing() -> None:
    day = DayCoverage(date(2026, 8, 9), expected=1440, present=1000, partial=3, proven=990, no_trades=430)
    assert day.missing == 10
    assert day.coverage == 0.993055


def test_only_all_is_a_coverage_of_one() -> None:
    assert DayCoverage(date(2026, 8, 9), 10**7, 10**7 - 1, 0, 0, 0).coverage == 0.999999
    assert DayCoverage(date(2026, 8, 9), 10, 7, 0, 7, 3).coverage == 1


@pytest.mark.parametrize("counts", [(10, 5, 0, 6, 0), (10, 6, 0, 0, 5), (10, 6, 5, 0, 0)])
def test_counts_that_do_not_add_up_are_a_bug(counts: tuple[int, int, int, int, int]) -> None:
    with pytest.raises(AssertionError):
        DayCoverage(date(2026, 8, 9), *counts)
