"""What the queue of exports means, over the store in memory and the one in Supabase."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from marketdata.model.export import Export, ExportProgress, ExportQuestion, ExportState
from marketdata.store.exports import ATTEMPTS_MAX, WAITING_MAX, WAITING_OF_CALLER_MAX
from marketdata.store.memory import MemoryStore
from marketdata.store.store import Store
from marketdata.store.supabase import SupabaseStore

from tests.conftest import RunningSupabase
from tests.contract.histories import MINUTE, NOON

QUESTION = ExportQuestion("coinbase", "BTC-USD", "1m", NOON, NOON + MINUTE)
WEEK = timedelta(days=7)


@pytest.fixture(params=["memory", pytest.param("supabase", marks=pytest.mark.stack)])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Each kind of store in turn, empty."""
    if request.param == "memory":
        yield MemoryStore()
        return
    running: RunningSupabase = request.getfixturevalue("empty_supabase")
    supabase = SupabaseStore(running.url, running.service_key)
    yield supabase
    supabase.close()


def order(store: Store, number: int, caller: str = "ann", at: datetime = NOON) -> Export | None:
    return store.order_export(f"{number:032x}", caller, QUESTION, now=at, expires_at=at + WEEK)


def claim(store: Store, worker: str = "w", at: datetime = NOON) -> Export | None:
    return store.claim_export(worker, now=at, lease_seconds=60)


def test_an_order_comes_back_as_it_was_given_and_again_as_it_is_now(store: Store) -> None:
    ordered = order(store, 1)
    assert ordered == Export(f"{1:032x}", "ann", QUESTION, ExportState.QUEUED, NOON, NOON + WEEK)
    assert store.find_export(ordered.id) == ordered
    claimed = claim(store)
    assert order(store, 1, at=NOON + MINUTE) == claimed
    assert store.find_export(f"{2:032x}") is None


def test_the_oldest_is_leased_to_one_worker(store: Store) -> None:
    order(store, 2, at=NOON + MINUTE)
    order(store, 1)
    with ThreadPoolExecutor(4) as pool:
        found = [one for one in pool.map(lambda number: claim(store, f"w{number}"), range(8)) if one]
    assert sorted(one.id for one in found) == [f"{1:032x}", f"{2:032x}"]
    assert claim(store) is None


def test_an_end_is_the_holder_s_to_say_and_may_be_said_twice(store: Store) -> None:
    order(store, 1)
    first = claim(store, "dead")
    again = claim(store, "alive", NOON + MINUTE)
    assert first is not None
    assert again is not None
    assert (again.attempts, again.worker) == (2, "alive")
    done = {"now": NOON + MINUTE, "state": ExportState.DONE, "result": {"rows": 1}}
    assert not store.finish_export(first, **done)  # type: ignore[arg-type]
    assert store.finish_export(again, **done)  # type: ignore[arg-type]
    assert store.finish_export(again, **done)  # type: ignore[arg-type]
    found = store.find_export(again.id)
    assert found is not None
    assert (found.state, found.result, found.finished_at) == (ExportState.DONE, {"rows": 1}, NOON + MINUTE)


def test_what_is_given_back_is_leased_again(store: Store) -> None:
    order(store, 1)
    held = claim(store)
    assert held is not None
    assert store.finish_export(held, now=NOON, state=ExportState.QUEUED, result={}, error="away")
    again = claim(store)
    assert again is not None
    assert (again.attempts, again.finished_at) == (2, None)


def test_one_that_is_begun_again_and_again_and_never_ends_has_failed(store: Store) -> None:
    order(store, 1)
    for number in range(ATTEMPTS_MAX):
        assert claim(store, at=NOON + number * MINUTE) is not None
    assert claim(store, at=NOON + ATTEMPTS_MAX * MINUTE) is None
    found = store.find_export(f"{1:032x}")
    assert found is not None
    assert (found.state, found.error) == (ExportState.FAILED, "it was begun 3 times and never ended")


def test_how_far_it_has_come_is_the_holder_s_to_say(store: Store) -> None:
    order(store, 1)
    dead = claim(store, "dead")
    assert dead is not None
    assert dead.progress is None
    assert store.note_export(dead, ExportProgress("text", (5, 0), 1))
    alive = claim(store, "alive", NOON + MINUTE)
    assert alive is not None
    assert alive.progress == ExportProgress("text", (5, 0), 1)
    assert not store.note_export(dead, ExportProgress("text", (), 1))
    assert store.note_export(alive, ExportProgress("text", (5, 0, 7), 2, 1))
    found = store.find_export(alive.id)
    assert found is not None
    assert found.progress == ExportProgress("text", (5, 0, 7), 2, 1)
    assert store.finish_export(alive, now=NOON, state=ExportState.DONE, result={"rows": 12})
    assert not store.note_export(alive, ExportProgress("text"))


def test_one_that_gets_on_is_not_given_up_however_often_it_is_begun(store: Store) -> None:
    order(store, 1)
    for number in range(3 * ATTEMPTS_MAX):
        held = claim(store, at=NOON + number * MINUTE)
        assert held is not None
        assert store.note_export(held, ExportProgress("text", (1,) * number, held.attempts))
    later = NOON + 3 * ATTEMPTS_MAX * MINUTE
    given = [claim(store, at=later + number * MINUTE) is not None for number in range(ATTEMPTS_MAX + 1)]
    assert given == [True] * ATTEMPTS_MAX + [False]


def test_few_wait_for_one_caller_and_not_many_for_all(store: Store) -> None:
    answers = [order(store, number) for number in range(WAITING_OF_CALLER_MAX + 1)]
    assert answers[-1] is None
    assert None not in answers[:-1]
    assert order(store, 0) is not None
    others = [order(store, number, f"caller {number // 10}") for number in range(100, 100 + WAITING_MAX)]
    assert sum(one is not None for one in others) == WAITING_MAX - WAITING_OF_CALLER_MAX


def test_what_is_over_is_forgotten_unless_somebody_works_on_it(store: Store) -> None:
    order(store, 1)
    order(store, 2, at=NOON + MINUTE)
    late = NOON + WEEK
    store.claim_export("w", now=late, lease_seconds=60)
    assert store.expired_exports(now=late) == []
    assert store.expired_exports(now=late + MINUTE) == [f"{1:032x}", f"{2:032x}"]
    store.forget_exports([f"{1:032x}", f"{2:032x}"], now=late)
    assert store.find_export(f"{1:032x}") is None
    assert store.find_export(f"{2:032x}") is not None
