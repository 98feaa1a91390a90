"""A market's clock that runs faster than ours."""

from datetime import UTC, datetime, timedelta

from local.fast_clock import FastClock

START = datetime(2026, 8, 9, 12, tzinfo=UTC)


def test_it_starts_where_it_is_told_and_passes_so_many_seconds_in_each_of_ours() -> None:
    ours = [1_000.0]
    clock = FastClock(START, 20, monotonic=lambda: ours[0])
    assert clock.now() == START
    ours[0] += 3.5
    assert clock.now() == START + timedelta(seconds=70)
