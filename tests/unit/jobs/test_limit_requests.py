"""How callers are counted: with others where that can be had, alone where not, and seldom asked of a far book."""

from datetime import timedelta

import pytest
from marketdata.clock import FakeClock
from marketdata.errors import StoreError
from marketdata.jobs.limit_requests import RETRY_SECONDS, Policy, RequestLimits
from marketdata.store.access import Grant
from marketdata.store.quota_book import NAMES_MAX, MemoryQuotas

from tests.market import at

POLICY = Policy("default", 100)


class SharedBook:
    """A book that several instances share; it counts the questions, and may be down."""

    def __init__(self, clock: FakeClock) -> None:
        self.book = MemoryQuotas(lambda: clock.now().timestamp())
        self.questions = 0
        self.is_down = False

    def take_quota(self, name: str, *, quota: int, window_seconds: int, wanted: int = 1) -> Grant:
        """See QuotaBook."""
        self.questions += 1
        if self.is_down:
            raise StoreError("take_quota", "is down")
        return self.book.take_quota(name, quota=quota, window_seconds=window_seconds, wanted=wanted)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("12:00"))


@pytest.fixture
def shared(clock: FakeClock) -> SharedBook:
    return SharedBook(clock)


def an_instance(
    shared: SharedBook | None, clock: FakeClock, alone: list[None], *, batches: bool = True
) -> RequestLimits:
    def seconds() -> float:
        return clock.now().timestamp()

    return RequestLimits(shared, MemoryQuotas(seconds), seconds, batches=batches, failed=lambda: alone.append(None))


def admitted(instance: RequestLimits, times: int) -> int:
    return sum(instance.take("ann", POLICY).allowed for _ in range(times))


def test_instances_together_admit_the_quota_and_no_more(shared: SharedBook, clock: FakeClock) -> None:
    instances = [an_instance(shared, clock, []) for _ in range(3)]
    total = sum(instances[turn % 3].take("ann", POLICY).allowed for turn in range(400))
    assert total == 100


def test_a_caller_of_one_instance_gets_the_whole_quota_for_a_question_in_five(
    shared: SharedBook, clock: FakeClock
) -> None:
    instance = an_instance(shared, clock, [])
    assert admitted(instance, 150) == 100
    assert shared.questions == 3 + 19  # 1 + 2 + 4, and then five at a time, a twentieth; the last ones are three


def test_a_near_book_is_asked_each_time(shared: SharedBook, clock: FakeClock) -> None:
    assert admitted(an_instance(shared, clock, [], batches=False), 10) == 10
    assert shared.questions == 10


def test_what_is_said_is_left_goes_down_by_one_and_is_whole_again_after_the_window(
    shared: SharedBook, clock: FakeClock
) -> None:
    instance = an_instance(shared, clock, [])
    assert [instance.take("ann", POLICY).left for _ in range(12)] == list(range(99, 87, -1))
    clock.advance(timedelta(seconds=20))
    assert instance.take("ann", POLICY).reset_seconds == pytest.approx(40)
    clock.advance(timedelta(seconds=40))
    assert instance.take("ann", POLICY).left == 99


def test_while_the_book_is_down_each_instance_counts_alone_and_says_so(shared: SharedBook, clock: FakeClock) -> None:
    alone: list[None] = []
    shared.is_down = True
    instances = [an_instance(shared, clock, alone) for _ in range(2)]
    assert [admitted(instance, 150) for instance in instances] == [100, 100]
    assert len(alone) >= 200
    assert shared.questions == 2


def test_a_book_that_is_back_is_asked_again_after_a_while(shared: SharedBook, clock: FakeClock) -> None:
    instance = an_instance(shared, clock, [])
    shared.is_down = True
    instance.take("ann", POLICY)
    shared.is_down = False
    instance.take("ann", POLICY)
    assert shared.questions == 1
    clock.advance(timedelta(seconds=RETRY_SECONDS))
    instance.take("ann", POLICY)
    assert shared.questions == 2


def test_however_many_callers_there_are_the_memory_is_bounded(clock: FakeClock) -> None:
    instance = an_instance(None, clock, [])
    for number in range(NAMES_MAX + 10):
        assert instance.take(str(number), Policy("default", 1)).allowed
    # The first ones are forgotten, the last ones are not.
    assert instance.take("0", Policy("default", 1)).allowed
    assert not instance.take(str(NAMES_MAX + 9), Policy("default", 1)).allowed
