"""How long the silence of an instrument may last."""

from hypothesis import given
from hypothesis import strategies as st
from marketdata.compute.pace import Pace, PatienceBounds

BOUNDS = PatienceBounds(least=5, unknown=30, most=600)


def pace(*between: float) -> tuple[Pace, float]:
    """One that traded at these distances, and when it last did."""
    now = 1_000.0
    made = Pace(now, BOUNDS)
    for seconds in between:
        now += seconds
        made.alive(now)
    return made, now


def test_a_busy_instrument_is_doubted_after_seconds_and_a_slow_one_after_minutes() -> None:
    assert pace(*[0.5] * 50)[0].patience_seconds == 5
    assert 100 < pace(*[20] * 50)[0].patience_seconds < 200


def test_one_long_silence_makes_the_next_such_silence_normal() -> None:
    made, now = pace(*[1] * 50, 60, *[1] * 20)
    assert made.overdue_seconds(now + 60) < 0


def test_a_burst_counts_as_a_sign_of_life_and_not_as_a_rhythm_of_its_own() -> None:
    made, now = pace(*[30] * 20)
    for _ in range(100):
        made.alive(now)
    assert made.overdue_seconds(now + 30) < 0


def test_a_confirmed_silence_is_asked_about_ever_later_until_it_ends() -> None:
    made, now = pace(*[1] * 50)
    waits = []
    for _ in range(10):
        waits.append(made.patience_seconds)
        now += made.patience_seconds
        made.confirm_silence(now)
    assert waits[:4] == [8, 16, 32, 64]
    assert waits[-1] == 600
    made.alive(now + 1)
    assert made.overdue_seconds(now + 2) < 0


def test_of_an_instrument_that_never_traded_nothing_is_expected_soon() -> None:
    made, now = pace()
    assert made.overdue_seconds(now + 29) < 0 < made.overdue_seconds(now + 31)


@given(st.lists(st.floats(0, 10_000), max_size=60))
def test_patience_stays_within_its_bounds(between: list[float]) -> None:
    assert BOUNDS.least <= pace(*between)[0].patience_seconds <= BOUNDS.most
