"""Pending, firing, resolved: holds, hysteresis and flapping, by example and as laws."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from marketdata.compute.alert_machine import CHANGES_MAX, FLAP_WINDOW, Change, Fired, Flapped, Resolved, advance
from marketdata.model.alert import Severity
from marketdata.model.alert_book import Condition, Entry, Standing

NOON = datetime(2026, 8, 31, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOLD = 30


def condition(key: str = "k", *, firm: bool = True, since: datetime | None = None) -> Condition:
    return Condition(key, "feed.down", Severity.CRITICAL, "down", timedelta(seconds=HOLD), firm=firm, since=since)


def numbered() -> Iterator[UUID]:
    """1, 2, 3."""
    number = 0
    while True:
        number += 1
        yield UUID(int=number)


class Machine:
    """Its entries, and everything that changed."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.changes: list[Change] = []
        self._ids = numbered()

    def at(self, seconds: float, *conditions: Condition) -> list[Change]:
        """One step; what changed."""
        done = advance(self.entries, conditions, NOON + seconds * SECOND, self._ids)
        self.entries = done.entries
        self.changes += done.changes
        return done.changes


def test_it_fires_when_it_has_held_and_is_resolved_when_it_has_been_gone_for_as_long() -> None:
    machine = Machine()
    assert machine.at(0, condition()) == []
    assert machine.at(29, condition()) == []
    (fired,) = machine.at(30, condition())
    assert fired == Fired(UUID(int=1), condition(), NOON)
    assert machine.at(40, condition()) == []
    assert machine.at(50) == []
    assert machine.at(79) == []
    assert machine.at(80) == [Resolved(UUID(int=1), NOON + 50 * SECOND)]


def test_what_passes_by_itself_fires_nothing_and_is_forgotten() -> None:
    machine = Machine()
    machine.at(0, condition())
    assert machine.at(20) == []
    assert machine.entries == {}
    assert machine.at(40, condition()) == []


def test_what_is_known_to_hold_for_long_fires_at_once() -> None:
    (fired,) = Machine().at(0, condition(since=NOON - 31 * SECOND))
    assert isinstance(fired, Fired)
    assert fired.since == NOON - 31 * SECOND


def test_between_the_bounds_nothing_begins_and_nothing_ends() -> None:
    machine = Machine()
    machine.at(0, condition(firm=False))
    assert machine.at(100, condition(firm=False)) == []
    machine.at(200, condition())
    assert len(machine.at(230, condition())) == 1
    assert machine.at(500, condition(firm=False)) == []
    machine.at(600)
    assert machine.at(620, condition(firm=False)) == []
    assert machine.at(640) == []
    assert machine.at(670) == [Resolved(UUID(int=1), NOON + 640 * SECOND)]


def test_one_that_comes_back_began_after_the_last_one_ended() -> None:
    machine = Machine()
    machine.at(0, condition(since=NOON - 3_600 * SECOND))
    machine.at(10)
    machine.at(40)
    machine.at(50, condition(since=NOON - 3_600 * SECOND))
    fired = machine.changes[-1]
    assert isinstance(fired, Fired)
    assert fired.since == NOON + 10 * SECOND


def test_fifty_outages_in_a_row_are_two_alerts_and_then_one_that_flaps() -> None:
    machine = Machine()
    for outage in range(50):
        start = outage * 80
        for second in (0, 30):
            machine.at(start + second, condition())
        for second in (40, 70):
            machine.at(start + second)
    fired = [one for one in machine.changes if isinstance(one, Fired)]
    assert len(fired) == 3
    assert [machine.entries["k"].standing, machine.entries["k"].flapping] == [Standing.FIRING, True]
    last = 49 * 80 + 40
    window = FLAP_WINDOW.total_seconds()
    assert machine.at(last + window - 1) == []
    assert machine.at(last + window) == [Resolved(fired[-1].id, NOON + last * SECOND)]


def test_a_flapping_one_that_stays_is_one_that_fires() -> None:
    machine = Machine()
    for start in (0, 80, 160):
        machine.at(start, condition())
        machine.at(start + 30, condition())
        if start < 160:
            machine.at(start + 40)
            machine.at(start + 70)
    assert machine.entries["k"].flapping
    assert machine.at(190 + FLAP_WINDOW.total_seconds(), condition()) == [Flapped(UUID(int=3), flapping=False)]
    assert not machine.entries["k"].flapping


STEPS = st.lists(st.tuples(st.integers(1, 400), st.sampled_from(["firm", "between", "gone"])), min_size=1, max_size=60)


@given(STEPS)
def test_every_firing_has_one_end_and_no_key_fires_twice_at_once(steps: list[tuple[int, str]]) -> None:
    machine, now = Machine(), 0
    for wait, what in steps:
        now += wait
        machine.at(now, *([] if what == "gone" else [condition(firm=what == "firm")]))
    # Calm for long enough, whatever came before.
    for _ in range(4):
        now += int(FLAP_WINDOW.total_seconds())
        machine.at(now)
    fired = [one.id for one in machine.changes if isinstance(one, Fired)]
    ended = [one.id for one in machine.changes if isinstance(one, Resolved)]
    assert fired == ended
    assert len(set(fired)) == len(fired)
    kinds = [type(one) for one in machine.changes if not isinstance(one, Flapped)]
    assert kinds == [Fired, Resolved] * len(fired)
    assert machine.entries == {}


@given(STEPS)
def test_in_no_half_hour_does_it_change_more_often_than_flapping_allows(steps: list[tuple[int, str]]) -> None:
    machine, now, times = Machine(), 0, []
    for wait, what in steps:
        now += wait
        changes = machine.at(now, *([] if what == "gone" else [condition(firm=what == "firm")]))
        times += [now for one in changes if not isinstance(one, Flapped)]
    window = FLAP_WINDOW.total_seconds()
    assert all(sum(0 <= other - one < window for other in times) <= CHANGES_MAX + 1 for one in times)


@given(STEPS)
def test_the_same_step_again_changes_nothing(steps: list[tuple[int, str]]) -> None:
    machine, now = Machine(), 0
    for wait, what in steps:
        now += wait
        holding = [] if what == "gone" else [condition(firm=what == "firm")]
        machine.at(now, *holding)
        before = machine.entries
        assert machine.at(now, *holding) == []
        assert machine.entries == before


def test_what_was_pending_long_after_it_fired_is_forgotten_at_once() -> None:
    machine = Machine()
    for second in (0, 31, 32, 63, 60 + int(FLAP_WINDOW.total_seconds())):
        machine.at(second, *([condition()] if second in {0, 31} or second > 63 else []))
    machine.at(64 + int(FLAP_WINDOW.total_seconds()))
    assert machine.entries == {}


def test_keys_know_nothing_of_each_other() -> None:
    machine = Machine()
    machine.at(0, condition("a"), condition("b"))
    machine.at(30, condition("a"))
    assert list(machine.entries) == ["a"]
