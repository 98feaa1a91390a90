"""Who takes a feed's place, and how long it is waited for."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from marketdata.clock import FakeClock
from marketdata.errors import StoreError
from marketdata.jobs.hand_over import HANDING_OVER, hand_over, is_succeeded
from marketdata.store.answers import FeedStatus
from marketdata.store.memory import MemoryStore

from tests.market import at

ASKED = at("10:00")
OURS = FeedStatus("coinbase", "old", "live", at("09:00"), ASKED, stored_at=ASKED)
HEIR = replace(OURS, feed_id="new", started_at=at("09:59"), stored_at=ASKED + timedelta(seconds=1))
DEADLINE_SECONDS = 10


@pytest.mark.parametrize(
    ("other", "succeeds"),
    [
        (HEIR, True),
        (replace(HEIR, exchange="binance"), False),
        (replace(HEIR, feed_id="old"), False),
        (replace(HEIR, feed_id="new-shard-1/2"), False),
        (replace(HEIR, state="connecting"), False),
        (replace(HEIR, state="stopped"), False),
        (replace(HEIR, stored_at=ASKED), False),
        (replace(HEIR, stored_at=None), False),
        (replace(HEIR, detail=f"{HANDING_OVER}; slow"), False),
        (replace(HEIR, detail="slow"), True),
    ],
)
def test_a_successor_follows_the_same_is_as_well_stays_and_spoke_since(other: FeedStatus, succeeds: bool) -> None:
    assert is_succeeded([OURS], [OURS, other], ASKED) is succeeds


def test_an_exchange_that_is_down_for_us_too_needs_no_better_successor() -> None:
    ours, heir = replace(OURS, state="down"), replace(HEIR, state="down")
    assert is_succeeded([ours], [heir], ASKED)


def test_every_exchange_needs_its_successor() -> None:
    binance = replace(OURS, exchange="binance")
    assert not is_succeeded([OURS, binance], [HEIR], ASKED)
    assert is_succeeded([OURS, binance], [HEIR, replace(HEIR, exchange="binance", feed_id="third")], ASKED)


def test_shards_are_succeeded_by_their_own() -> None:
    ours = replace(OURS, feed_id="old-shard-2/3")
    assert not is_succeeded([ours], [replace(HEIR, feed_id="new-shard-1/3")], ASKED)
    assert is_succeeded([ours], [replace(HEIR, feed_id="new-shard-2/3")], ASKED)


class Heard(MemoryStore):
    """A store that does not answer the first `failing` questions."""

    failing = 0

    def feed_statuses(self) -> list[FeedStatus]:
        if self.failing:
            self.failing -= 1
            raise StoreError("feed_statuses", "no answer")
        return super().feed_statuses()


def say(store: MemoryStore, clock: FakeClock, *names: str) -> None:
    for name in names:
        store.put_feed_status(replace(OURS, feed_id=name, updated_at=clock.now()))


def ours() -> Sequence[FeedStatus]:
    return [OURS]


async def test_it_goes_on_until_the_successor_is_heard() -> None:
    clock = FakeClock(ASKED)
    store = Heard(clock)
    say(store, clock, "old", "new")
    store.failing = 1
    waiting = asyncio.ensure_future(hand_over(store, ours, seconds_max=DEADLINE_SECONDS, look_seconds=0.005))
    done, _ = await asyncio.wait({waiting}, timeout=0.1)
    assert not done, "what the other said before we were asked was believed"
    clock.advance(timedelta(seconds=5))
    say(store, clock, "new")
    assert await waiting


async def test_a_successor_that_was_killed_is_waited_for_as_long_as_was_said() -> None:
    clock = FakeClock(ASKED)
    store = Heard(clock)
    say(store, clock, "old", "new")
    begun = asyncio.get_running_loop().time()
    assert not await hand_over(store, ours, seconds_max=0.1, look_seconds=0.005)
    assert asyncio.get_running_loop().time() - begun >= 0.1


async def test_a_feed_that_follows_nothing_waits_for_nobody() -> None:
    assert await hand_over(MemoryStore(), list, seconds_max=DEADLINE_SECONDS)
