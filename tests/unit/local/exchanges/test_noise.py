from statistics import fmean

from hypothesis import given
from hypothesis import strategies as st

from local.exchanges.noise import mix, uniform, wander

KEYS = st.integers(0, 2**64 - 1)
MINUTES = st.integers(0, 60 * 24 * 365 * 100)


def test_a_hash_is_the_same_on_every_machine_and_in_every_release() -> None:
    assert mix(7, 1, 2) == 0x8E679CD8B88FD6F9
    assert mix(2**64 - 1, -3) == 0x8F33834013B31F7C


@given(KEYS, st.integers(), st.integers())
def test_a_hash_has_64_bits(key: int, first: int, second: int) -> None:
    assert 0 <= mix(key, first, second) < 2**64
    assert 0.0 <= uniform(key, first, second) < 1.0


def test_uniform_numbers_fill_their_range_evenly() -> None:
    numbers = [uniform(7, index) for index in range(10_000)]
    assert abs(fmean(numbers) - 0.5) < 0.01
    assert all(900 < sum(tenth / 10 <= number < (tenth + 1) / 10 for number in numbers) < 1100 for tenth in range(10))


@given(KEYS, MINUTES)
def test_a_price_never_walks_further_than_its_bound_in_a_century(key: int, minute: int) -> None:
    assert abs(wander(key, minute)) < 0.16


@given(KEYS, MINUTES)
def test_a_price_never_jumps_from_one_minute_to_the_next(key: int, minute: int) -> None:
    assert abs(wander(key, minute + 1) - wander(key, minute)) < 0.005


def test_a_price_does_walk() -> None:
    day = [wander(7, minute) for minute in range(1440)]
    assert max(day) - min(day) > 0.005
