from datetime import timedelta

from marketdata.clock import FakeClock

from local.exchanges.budget import Budgets
from tests.unit.local.exchanges.market import NOW


def test_a_burst_is_taken_then_one_request_for_every_tenth_of_a_second() -> None:
    clock = FakeClock(NOW)
    budgets = Budgets(clock, per_second=10, burst=15)
    assert [budgets.spend("a") for _ in range(17)] == [True] * 15 + [False] * 2
    clock.advance(timedelta(milliseconds=200))
    assert [budgets.spend("a") for _ in range(3)] == [True, True, False]


def test_one_address_does_not_spend_what_belongs_to_another() -> None:
    budgets = Budgets(FakeClock(NOW), per_second=10, burst=1)
    assert [budgets.spend("a"), budgets.spend("a"), budgets.spend("b")] == [True, False, True]


def test_a_rest_never_saves_up_more_than_the_burst() -> None:
    clock = FakeClock(NOW)
    budgets = Budgets(clock, per_second=10, burst=3)
    budgets.spend("a")
    clock.advance(timedelta(hours=1))
    assert [budgets.spend("a") for _ in range(4)] == [True, True, True, False]


def test_only_so_many_addresses_are_remembered_and_the_quietest_is_forgotten() -> None:
    budgets = Budgets(FakeClock(NOW), per_second=10, burst=1)
    for number in range(1001):
        budgets.spend(str(number))
    assert not budgets.spend("1000")
    assert budgets.spend("0")
