"""Draining the queue of changed minutes."""

from datetime import datetime, timedelta

import psycopg
import pytest
from marketdata.clock import FakeClock
from marketdata.jobs.drain_queue import ENTRIES_A_ROUND
from marketdata.jobs.roll_up import roll_up
from marketdata.model.span import Span
from marketdata.model.timeframe import timeframe_named
from marketdata.store.memory import MemoryStore
from marketdata.store.supabase import SupabaseStore

from local import maintenance
from tests.conftest import RunningSupabase
from tests.market import BTC, a_store, at, minutes

NOW = at("12:00")
LATER = at("13:00")


class DrainingStore(MemoryStore):
    """A store whose queue answers `rounds`, each of which takes ten seconds of `clock`."""

    def __init__(self, clock: FakeClock, rounds: list[int | None]) -> None:
        super().__init__()
        self.clock = clock
        self.rounds = rounds
        self.room: list[Span] = []

    def roll_up(self, *, limit: int = 2000) -> int | None:
        self.clock.advance(timedelta(seconds=10))
        return self.rounds.pop(0)

    def ensure_partitions(self, span: Span) -> None:
        self.room.append(span)


def run(rounds: list[int | None], deadline: datetime = LATER) -> tuple[dict[str, object], DrainingStore]:
    clock = FakeClock(NOW)
    store = DrainingStore(clock, rounds)
    return roll_up(store, clock, deadline), store


def test_coarser_candles_come_of_it() -> None:
    store = a_store()
    store.put_candles(minutes("10:00", "10:10"))
    result = roll_up(store, FakeClock(NOW), at("13:00"))
    m5 = store.candles(BTC, timeframe_named("5m"), start=None, end=None, limit=10)
    assert [one.open_time for one in m5] == [at("10:00"), at("10:05")]
    assert (result["entries"], result["drained"], result["busy"]) == (1, True, False)


def test_it_goes_on_until_the_queue_is_empty() -> None:
    result, store = run([ENTRIES_A_ROUND, ENTRIES_A_ROUND, 7, 0])
    assert (result["entries"], result["rounds"], result["drained"]) == (4007, 4, True)
    assert store.rounds == []


def test_a_round_that_took_less_than_it_might_proves_nothing_of_the_queue() -> None:
    result, store = run([1, 1, 0])
    assert (result["entries"], result["drained"], store.rounds) == (2, True, [])
    assert run([1], deadline=NOW)[0]["drained"] is False
    assert run([1, None])[0]["drained"] is False


def test_an_empty_queue_takes_one_look() -> None:
    assert run([0])[0]["rounds"] == 1


def test_it_leaves_the_rest_when_its_time_is_up() -> None:
    result, store = run([ENTRIES_A_ROUND] * 5, deadline=NOW + timedelta(seconds=15))
    assert (result["rounds"], result["drained"], len(store.rounds)) == (2, False, 3)


def test_a_late_start_still_does_one_round() -> None:
    assert run([3], deadline=NOW - timedelta(hours=1))[0]["entries"] == 3


def test_where_another_drainer_is_at_work_it_leaves() -> None:
    result, _ = run([None])
    assert (result["entries"], result["busy"], result["drained"]) == (0, True, False)


def test_it_keeps_a_week_of_room() -> None:
    _, store = run([0])
    assert store.room == [Span(NOW - timedelta(days=1), NOW + timedelta(days=7))]


@pytest.mark.stack
def test_what_is_older_than_is_kept_goes_with_the_schedule_and_what_was_made_of_it_stays(
    empty_supabase: RunningSupabase,
) -> None:
    store, clock = SupabaseStore(empty_supabase.url, empty_supabase.service_key), FakeClock(NOW)
    store.put_instruments([BTC])
    store.ensure_partitions(Span(at("10:00"), at("11:00")))
    store.put_candles(minutes("10:00", "11:00"))
    roll_up(store, clock, at("13:00"))
    with psycopg.connect(empty_supabase.dsn, autocommit=True) as owner:
        maintenance.keep(owner, {"1m": timedelta(days=400)})
        clock.advance(timedelta(days=399))
        assert roll_up(store, clock, clock.now() + timedelta(minutes=1))["pruned"] == 0
        clock.advance(timedelta(days=60))
        steps = [roll_up(store, clock, clock.now() + timedelta(minutes=1))["pruned"] for _ in range(3)]
        assert steps[-1] == 0
        assert any(steps)
        owner.execute("delete from public.retention")
    assert store.candles(BTC, timeframe_named("1m"), start=None, end=None, limit=10) == []
    assert len(store.candles(BTC, timeframe_named("1h"), start=None, end=None, limit=10)) == 1
    store.close()
