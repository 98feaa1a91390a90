"""One exchange's budget among several workers: one pace, one silence, and a share while the store is away."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from marketdata.clock import FakeClock
from marketdata.errors import StoreError
from marketdata.jobs.shared_budget import ALONE_SHARE, STORE_RETRY_SECONDS, TURN_SECONDS_MAX, SharedBudget
from marketdata.model.budget import Turn
from marketdata.model.times import EPOCH
from marketdata.store.memory import MemoryStore

from tests.market import at

PACE = 5.0


class CountingStore(MemoryStore):
    """A store that counts questions, and does not answer while it is `away`."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.asked = 0
        self.away = False

    def take_requests(self, exchange: str, **terms: Any) -> Turn:
        self._answer()
        return super().take_requests(exchange, **terms)

    def block_exchange(self, exchange: str, *, seconds: float, reason: str) -> None:
        self._answer()
        super().block_exchange(exchange, seconds=seconds, reason=reason)

    def _answer(self) -> None:
        self.asked += 1
        if self.away:
            raise StoreError("take_requests", "nobody there")


class World:
    """Workers that share a store and a clock, on which sleeping and asking take time."""

    def __init__(self) -> None:
        self.clock = FakeClock(at("12:00"))
        self.store = CountingStore(self.clock)

    def seconds(self) -> float:
        return (self.clock.now() - EPOCH).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    def worker(self, exchange: str = "coinbase", *, burst: int = 1, patience_seconds: float = 30) -> SharedBudget:
        return SharedBudget(
            exchange,
            self.store,
            per_second=PACE,
            burst=burst,
            patience_seconds=patience_seconds,
            monotonic=self.seconds,
            sleep=self.sleep,
        )

    def request(self, worker: SharedBudget) -> float:
        """Wait for a turn as Rest does; when the request is made, in seconds."""
        self.sleep(worker.take())
        return self.seconds()


def test_workers_keep_one_pace_together() -> None:
    world = World()
    workers = [world.worker() for _ in range(3)]
    began = world.seconds()
    times = [world.request(workers[place % 3]) for place in range(60)]
    assert times[-1] - began >= 59 / PACE - 0.01
    assert times[-1] - began < 1.1 * 60 / PACE


def test_a_busy_worker_asks_the_store_less_often_than_the_exchange() -> None:
    world = World()
    worker = world.worker()
    began = world.seconds()
    times = [world.request(worker) for _ in range(40)]
    assert times[-1] - began == pytest.approx(39 / PACE, abs=0.2)
    assert world.store.asked <= 30


def test_a_burst_is_everybodys_once() -> None:
    world = World()
    one, other = world.worker(burst=10), world.worker(burst=10)
    began = world.seconds()
    for place in range(10):
        world.request((one, other)[place % 2])
    assert world.seconds() - began < 1
    for place in range(10):
        world.request((one, other)[place % 2])
    assert world.seconds() - began >= 9 / PACE


def test_a_silence_that_one_worker_was_asked_for_is_kept_by_all() -> None:
    world = World()
    one, other = world.worker(burst=10, patience_seconds=90), world.worker(burst=10, patience_seconds=5)
    world.request(other)
    world.request(one)
    one.block(60, "HTTP 429")
    silent_since = world.seconds()
    world.sleep(TURN_SECONDS_MAX + 0.1)
    assert other.take() > 5
    assert one.take() == pytest.approx(0, abs=1)
    assert world.seconds() >= silent_since + 60 - TURN_SECONDS_MAX
    assert world.store.limited_exchanges() == []


def test_a_turn_that_was_reserved_before_another_was_silenced_is_let_go() -> None:
    world = World()
    one, other = world.worker(burst=10), world.worker(burst=10, patience_seconds=5)
    world.request(other)
    world.request(other)
    asked = world.store.asked
    one.block(60, "HTTP 429")
    world.sleep(TURN_SECONDS_MAX + 0.1)
    assert other.take() > 5
    assert (asked, world.store.asked) == (2, 4), "two requests of three turns, the silence, and its own question"


def test_an_exchange_is_not_silenced_by_another() -> None:
    world = World()
    world.worker("kraken").block(60, "HTTP 429")
    assert world.worker().take() == 0


def test_who_has_no_patience_reserves_nothing() -> None:
    world = World()
    world.worker(patience_seconds=5).block(60, "HTTP 429")
    hasty = world.worker(patience_seconds=5)
    assert hasty.take() == pytest.approx(60, abs=1)
    assert world.store.limited_exchanges()[0].reason == "HTTP 429"


def test_while_the_store_is_away_a_worker_keeps_to_its_share_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    worker = world.worker(burst=10)
    world.store.away = True
    began = world.seconds()
    with caplog.at_level(logging.INFO):
        for _ in range(20):
            world.request(worker)
        assert world.seconds() - began >= 19 / (PACE * ALONE_SHARE) - 0.01
        assert world.store.asked <= 2 + (world.seconds() - began) / STORE_RETRY_SECONDS
        world.store.away = False
        world.sleep(STORE_RETRY_SECONDS)
        world.request(worker)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_silence_said_while_the_store_was_away_is_told_when_it_is_back() -> None:
    world = World()
    one, other = world.worker(patience_seconds=1), world.worker(patience_seconds=1)
    world.store.away = True
    one.block(60, "HTTP 418")
    assert one.take() > 1
    world.store.away = False
    world.sleep(STORE_RETRY_SECONDS)
    one.take()
    assert other.take() == pytest.approx(60 - STORE_RETRY_SECONDS, abs=2)


def test_a_heavy_request_waits_for_as_many_turns_as_it_weighs_and_reserves_them_at_once() -> None:
    world = World()
    one, other = world.worker(), world.worker()
    began = world.seconds()
    world.sleep(one.take(4))
    assert world.seconds() - began == pytest.approx(3 / PACE)
    assert world.store.asked == 1
    assert world.request(other) - began == pytest.approx(4 / PACE, abs=0.01)
