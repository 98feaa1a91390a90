"""Schedules as EventBridge writes them."""

import pytest

from infra.catalog import SCHEDULES
from infra.cron import cron_expression

DAY = range(1_440)


def minutes_of(expression: str) -> set[int]:
    """The minutes of the day at which EventBridge's expression holds, read as its documentation says."""
    minute, hour = expression.removeprefix("cron(").split()[:2]
    return {at for at in DAY if _holds(minute, at % 60) and _holds(hour, at // 60)}


def _holds(field: str, value: int) -> bool:
    start, slash, step = field.partition("/")
    if slash:
        return value >= int(start) and (value - int(start)) % int(step) == 0
    return field == "*" or int(field) == value


@pytest.mark.parametrize(
    ("every", "after"), [(1, 0), (5, 0), (15, 4), (15, 7), (60, 0), (60, 59), (120, 90), (1440, 197), (720, 725 - 720)]
)
def test_it_runs_at_the_minutes_that_the_catalog_means(every: int, after: int) -> None:
    assert minutes_of(cron_expression(every, after)) == {at for at in DAY if (at - after) % every == 0}


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.job)
def test_every_schedule_of_the_catalog_can_be_said(schedule: object) -> None:
    from infra.catalog import Schedule

    assert isinstance(schedule, Schedule)
    meant = {at for at in DAY if (at - schedule.after_minutes) % schedule.every_minutes == 0}
    assert minutes_of(cron_expression(schedule.every_minutes, schedule.after_minutes)) == meant


@pytest.mark.parametrize("every", [7, 90, 1_000])
def test_a_pace_that_it_cannot_say_is_refused(every: int) -> None:
    with pytest.raises(ValueError, match=f"every {every} minutes"):
        cron_expression(every)


def test_a_run_is_after_its_multiple_and_before_the_next() -> None:
    with pytest.raises(ValueError, match="after_minutes"):
        cron_expression(5, 5)
