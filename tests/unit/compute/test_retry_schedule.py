"""When a message is tried again."""

from datetime import UTC, datetime, timedelta

from marketdata.compute.retry_schedule import DELAYS, JITTER, TRIES_MAX, next_try

NOON = datetime(2026, 8, 31, 12, tzinfo=UTC)


def test_tries_come_at_the_schedule_of_standard_webhooks_over_three_days_and_end() -> None:
    waits = [next_try(attempt, NOON, spread=0.0) for attempt in range(1, TRIES_MAX)]
    assert [one - NOON for one in waits if one] == list(DELAYS)
    assert sum(DELAYS, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)
    assert next_try(TRIES_MAX, NOON, spread=0.0) is None


def test_jitter_adds_up_to_a_fifth_and_takes_nothing() -> None:
    assert next_try(2, NOON, spread=1.0) == NOON + timedelta(minutes=5) * (1 + JITTER)
    assert next_try(2, NOON, spread=0.5) == NOON + timedelta(minutes=5) * (1 + JITTER / 2)


def test_a_receiver_that_asks_for_a_longer_wait_gets_it_up_to_a_day() -> None:
    assert next_try(1, NOON, spread=0.0, retry_after=120) == NOON + timedelta(minutes=2)
    assert next_try(2, NOON, spread=0.0, retry_after=120) == NOON + timedelta(minutes=5)
    assert next_try(1, NOON, spread=0.0, retry_after=1e9) == NOON + timedelta(days=1)
    assert next_try(1, NOON, spread=0.0, retry_after=-5) == NOON + timedelta(seconds=5)
