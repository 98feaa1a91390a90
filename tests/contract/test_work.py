"""What runs of jobs, alerts and budgets mean, over the store in memory and the one in Supabase."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from marketdata.errors import RequestInvalid, StoreError
from marketdata.model.alert import AlertState, Severity
from marketdata.model.gap import Gap, GapState
from marketdata.model.job_run import JobRun, RunState, Scope
from marketdata.model.timeframe import M1
from marketdata.store.memory import MemoryStore
from marketdata.store.store import Store
from marketdata.store.supabase import SupabaseStore

from tests.conftest import RunningSupabase
from tests.contract.histories import BTC, ETH, MINUTE, MONDAY, NOON, span

QUEUED, RUNNING, SUCCEEDED, FAILED, LOST = RunState
DAY = timedelta(days=1)
ALL_OF_IT = Scope("coinbase", "BTC-USD", M1, span(0, 60))


@pytest.fixture(params=["memory", pytest.param("supabase", marks=pytest.mark.stack)])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Each kind of store in turn, empty but for two instruments."""
    if request.param == "memory":
        memory = MemoryStore()
        memory.put_instruments([BTC, ETH])
        yield memory
        return
    running: RunningSupabase = request.getfixturevalue("empty_supabase")
    supabase = SupabaseStore(running.url, running.service_key)
    supabase.put_instruments([BTC, ETH])
    yield supabase
    supabase.close()


def start(store: Store, worker: str, at: datetime = NOON, kind: str = "gap_scan", **changes: Any) -> JobRun:
    """Begin a run with a lease of one minute."""
    return store.start_run(kind, worker=worker, now=at, lease_seconds=60, trigger="schedule", **changes)


def finish(store: Store, run: JobRun, at: datetime = NOON, state: RunState = SUCCEEDED, error: str = "") -> bool:
    return store.finish_run(run, now=at, state=state, result={"recorded": 2}, error=error)


def states(store: Store, at: datetime = NOON) -> list[tuple[str, RunState]]:
    """Worker and state of every run, newest first."""
    return [(run.worker, run.state) for run in store.runs(now=at, limit=100)]


def order(store: Store, name: str, at: datetime = NOON, kind: str = "gap_scan", **changes: Any) -> JobRun | None:
    """Order a run that is wanted for an hour."""
    settings: dict[str, Any] = {"wait_seconds": 3600, "trigger": "cron", "arguments": {}, "waiting_max": 3} | changes
    return store.order_run(kind, order=name, now=at, **settings)


def claim(store: Store, worker: str, at: datetime = NOON, exclusive: tuple[str, ...] = ()) -> JobRun | None:
    return store.claim_run(worker, now=at, lease_seconds=60, exclusive_kinds=exclusive)


# Ordered runs


def test_an_order_comes_back_as_it_was_given_and_is_begun_once(store: Store) -> None:
    queued = order(store, "one", arguments={"symbols": [["coinbase", "BTC-USD"]]})
    assert queued is not None
    assert (queued.state, queued.trigger, queued.arguments) == (QUEUED, "cron", {"symbols": [["coinbase", "BTC-USD"]]})
    assert order(store, "one") == queued
    with ThreadPoolExecutor(4) as pool:
        begun = [run for run in pool.map(lambda number: claim(store, f"w{number}", NOON + MINUTE), range(4)) if run]
    assert [(run.id, run.state, run.started_at, run.arguments) for run in begun] == [
        (queued.id, RUNNING, NOON + MINUTE, queued.arguments)
    ]
    assert finish(store, begun[0], NOON + MINUTE)
    assert states(store, NOON + MINUTE) == [(begun[0].worker, SUCCEEDED)]


def test_the_oldest_order_is_begun_first_and_an_exclusive_one_waits_for_its_kind(store: Store) -> None:
    running = start(store, "ann", kind="reconcile")
    for name, kind in (("first", "reconcile"), ("second", "roll_up"), ("third", "reconcile")):
        order(store, name, kind=kind)
    exclusive = ("gap_scan", "reconcile")
    begun = claim(store, "w1", exclusive=exclusive)
    assert begun is not None
    assert begun.kind == "roll_up"
    assert claim(store, "w2", exclusive=exclusive) is None
    finish(store, running)
    kinds = [run.kind if (run := claim(store, f"w{number}", exclusive=exclusive)) else None for number in (3, 4)]
    assert kinds == ["reconcile", None]


def test_an_exclusive_run_that_was_killed_keeps_no_order_waiting(store: Store) -> None:
    start(store, "dead", kind="reconcile")
    order(store, "one", kind="reconcile")
    begun = claim(store, "w", NOON + MINUTE, ("reconcile",))
    assert begun is not None
    assert begun.kind == "reconcile"


def test_an_order_that_nobody_begins_in_its_time_is_lost(store: Store) -> None:
    order(store, "one")
    late = NOON + timedelta(hours=1)
    assert states(store, late - MINUTE)[0][1] is QUEUED
    assert states(store, late)[0][1] is LOST
    assert claim(store, "w", late) is None
    assert store.runs(now=late, limit=1)[0].finished_at == late


def test_only_so_many_orders_wait(store: Store) -> None:
    assert [order(store, f"o{number}") is not None for number in range(4)] == [True, True, True, False]
    assert order(store, "o0") is not None
    claim(store, "w")
    assert order(store, "o5") is not None


def test_an_order_stands_in_no_run_s_way(store: Store) -> None:
    order(store, "one")
    assert start(store, "ann", exclusive=True).worker == "ann"


# Runs


def test_a_run_comes_back_as_it_was_begun_and_ended(store: Store) -> None:
    begun = start(store, "ann", scheduled_time=NOON, scope=ALL_OF_IT)
    assert begun == JobRun(
        begun.id, "gap_scan", "ann", "schedule", RUNNING, NOON, NOON + MINUTE, scheduled_time=NOON, scope=ALL_OF_IT
    )
    assert finish(store, begun, NOON + MINUTE / 2, FAILED, "x" * 400)
    (ended,) = store.runs(now=NOON + DAY, limit=10)
    assert (ended.state, ended.finished_at, ended.result) == (FAILED, NOON + MINUTE / 2, {"recorded": 2})
    assert (ended.error, ended.scope, ended.worker) == ("x" * 300, ALL_OF_IT, "ann")


def test_a_schedule_that_fires_twice_runs_once(store: Store) -> None:
    first = start(store, "ann", scheduled_time=NOON)
    assert start(store, "bob", scheduled_time=NOON) == first
    finish(store, first)
    late = start(store, "cid", NOON + DAY, scheduled_time=NOON)
    assert (late.worker, late.state) == ("ann", SUCCEEDED)
    assert start(store, "dan", scheduled_time=NOON + MINUTE).worker == "dan"
    assert start(store, "eve", kind="backfill", scheduled_time=NOON).worker == "eve"


def test_twenty_at_once_for_one_scheduled_time_are_one_run(store: Store) -> None:
    with ThreadPoolExecutor(max_workers=10) as pool:
        answers = list(pool.map(lambda name: start(store, f"w{name}", scheduled_time=NOON), range(20)))
    assert len({run.id for run in answers}) == 1
    assert len(store.runs(now=NOON, limit=100)) == 1


def test_what_failed_or_was_lost_may_run_again_for_the_same_time(store: Store) -> None:
    finish(store, start(store, "ann", scheduled_time=NOON), state=FAILED)
    assert start(store, "bob", scheduled_time=NOON).worker == "bob"
    assert start(store, "cid", NOON + MINUTE, scheduled_time=NOON).worker == "cid"
    assert states(store, NOON + MINUTE) == [("cid", RUNNING), ("bob", LOST), ("ann", FAILED)]


def test_a_start_whose_answer_was_lost_is_the_same_run(store: Store) -> None:
    first = start(store, "ann")
    assert start(store, "ann") == first
    assert states(store) == [("ann", RUNNING)]


def test_an_exclusive_run_waits_for_no_other_and_begins_beside_none(store: Store) -> None:
    start(store, "ann")
    assert start(store, "bob").worker == "bob"
    assert start(store, "cid", exclusive=True).worker == "bob"
    assert start(store, "dan", kind="backfill", exclusive=True).worker == "dan"
    assert start(store, "eve", NOON + MINUTE, exclusive=True).worker == "eve"


def test_a_run_that_was_killed_is_lost_when_its_lease_has_ended(store: Store) -> None:
    start(store, "ann")
    assert states(store, NOON + MINUTE - timedelta(seconds=1)) == [("ann", RUNNING)]
    (lost,) = store.runs(now=NOON + MINUTE, states=[LOST], limit=10)
    assert lost.finished_at == NOON + MINUTE
    assert store.runs(now=NOON + MINUTE, states=[RUNNING], limit=10) == []


@pytest.mark.parametrize("taken_over", [True, False])
def test_a_zombie_changes_nothing(store: Store, taken_over: bool) -> None:
    zombie = start(store, "ann", scheduled_time=NOON)
    if taken_over:
        start(store, "bob", NOON + MINUTE, scheduled_time=NOON)
    before = store.runs(now=NOON + MINUTE, limit=10)
    assert not finish(store, zombie, NOON + MINUTE)
    assert not store.renew_run(zombie, now=NOON + MINUTE, lease_seconds=60)
    assert store.runs(now=NOON + MINUTE, limit=10) == before


def test_a_renewed_lease_keeps_a_long_run_alive(store: Store) -> None:
    run = start(store, "ann")
    assert store.renew_run(run, now=NOON + MINUTE / 2, lease_seconds=60)
    assert states(store, NOON + MINUTE) == [("ann", RUNNING)]
    assert finish(store, run, NOON + MINUTE)


def test_an_end_said_again_is_true_and_changes_nothing_and_another_end_is_false(store: Store) -> None:
    run = start(store, "ann")
    assert finish(store, run)
    before = store.runs(now=NOON, limit=10)
    assert finish(store, run, NOON + MINUTE / 2)
    assert not finish(store, run, state=FAILED)
    assert store.runs(now=NOON, limit=10) == before


def test_runs_are_listed_newest_first_page_by_page(store: Store) -> None:
    ids = [start(store, f"w{place}", kind="backfill" if place % 2 else "gap_scan").id for place in range(6)]
    assert [run.id for run in store.runs(now=NOON, limit=2)] == ids[:3:-1]
    assert [run.id for run in store.runs(now=NOON, limit=2, before_id=ids[4])] == ids[3:1:-1]
    assert [run.id for run in store.runs(now=NOON, kind="backfill", limit=10)] == ids[5::-2]
    with pytest.raises(RequestInvalid):
        store.runs(now=NOON, limit=10_001)


@pytest.mark.parametrize(("worker", "lease_seconds"), [("w", 0), ("w", 86_401), ("", 60)])
def test_a_run_without_a_name_or_a_lease_does_not_begin(store: Store, worker: str, lease_seconds: float) -> None:
    with pytest.raises(StoreError):
        store.start_run("gap_scan", worker=worker, now=NOON, lease_seconds=lease_seconds, trigger="cron")


def test_a_run_does_not_end_as_running_nor_with_a_result_without_bounds(store: Store) -> None:
    run = start(store, "ann")
    with pytest.raises(StoreError):
        finish(store, run, state=LOST)
    with pytest.raises(StoreError):
        store.finish_run(run, now=NOON, state=SUCCEEDED, result={"spans": ["x" * 100] * 300})


# Alerts


def claimed(store: Store, start_minute: int = 3) -> Gap:
    """One leased gap of two minutes."""
    store.record_gaps(BTC, M1, [span(start_minute, start_minute + 2)], cause="scan", found_at=NOON)
    (gap,) = store.claim_gaps("worker", now=NOON, lease_seconds=60, limit=1)
    return gap


def give_up(store: Store, gap: Gap) -> bool:
    return store.resolve_gap(gap, state=GapState.UNRECOVERABLE, now=NOON, reason="8 answers brought nothing")


def test_a_gap_that_is_given_up_fires_one_alert(store: Store) -> None:
    gap = claimed(store)
    assert give_up(store, gap)
    (alert,) = store.alerts(limit=10)
    assert alert.dedup_key == f"coinbase:BTC-USD:gap.unrecoverable:{gap.id}"
    assert (alert.rule, alert.severity, alert.state) == ("gap.unrecoverable", Severity.ERROR, AlertState.FIRING)
    assert (alert.exchange, alert.symbol, alert.timeframe) == ("coinbase", "BTC-USD", M1)
    assert (alert.created_at, alert.resolved_at) == (NOON, None)
    assert alert.summary == "coinbase BTC-USD: 2 buckets of 1m from 2026-08-31T00:03:00Z cannot be recovered"
    assert alert.context == {
        "gap": gap.id,
        "start": "2026-08-31T00:03:00Z",
        "end": "2026-08-31T00:05:00Z",
        "buckets": 2,
        "cause": "scan",
        "attempts": 1,
        "reason": "8 answers brought nothing",
    }


def test_giving_up_again_alerts_nobody_again(store: Store) -> None:
    gap = claimed(store)
    give_up(store, gap)
    before = store.alerts(limit=10)
    assert give_up(store, gap)
    assert store.alerts(limit=10) == before


def test_who_lost_the_lease_alerts_nobody(store: Store) -> None:
    gap = claimed(store)
    store.claim_gaps("another", now=NOON + DAY, lease_seconds=60, limit=1)
    assert not give_up(store, gap)
    assert store.alerts(limit=10) == []


def test_any_other_end_of_a_gap_is_no_alert(store: Store) -> None:
    for state in (GapState.FILLED, GapState.NO_TRADES, GapState.MARKET_CLOSED):
        store.resolve_gap(claimed(store), state=state, now=NOON)
    assert store.alerts(limit=10) == []


def test_alerts_are_listed_newest_first_by_state(store: Store) -> None:
    gaps = [claimed(store, place) for place in (0, 10, 20)]
    for place, gap in enumerate(gaps):
        store.resolve_gap(gap, state=GapState.UNRECOVERABLE, now=NOON + place * MINUTE)
    assert [alert.context["gap"] for alert in store.alerts(limit=2)] == [gaps[2].id, gaps[1].id]
    assert len(store.alerts(states=[AlertState.FIRING], limit=10)) == 3
    assert store.alerts(states=[AlertState.RESOLVED], limit=10) == []


# Budgets. A pace of a request in ten seconds is slow enough for the store's own clock not to matter.


def wait(store: Store, exchange: str = "coinbase", **changes: Any) -> float:
    """Take a turn; the seconds until it, to the second."""
    terms: dict[str, Any] = {"per_second": 0.1, "burst": 1} | changes
    return round(max(0.0, store.take_requests(exchange, **terms).starts_in))


def test_everybody_s_requests_come_out_of_one_budget(store: Store) -> None:
    assert [wait(store), wait(store), wait(store)] == [0, 10, 20]
    assert wait(store, "kraken") == 0


def test_a_burst_is_saved_up_by_silence_and_a_batch_is_reserved_at_once(store: Store) -> None:
    first = store.take_requests("coinbase", per_second=0.1, burst=3, count=2)
    assert first.starts_in == pytest.approx(-20, abs=1)
    assert [wait(store, burst=3), wait(store, burst=3)] == [0, 10]


def test_who_would_wait_for_too_long_reserves_nothing(store: Store) -> None:
    wait(store, count=3)
    assert [wait(store, wait_seconds_max=5) for _ in range(3)] == [30, 30, 30]
    assert wait(store, wait_seconds_max=60) == 30
    assert wait(store, wait_seconds_max=60) == 40


def test_an_exchange_that_asked_for_silence_gets_it_from_everybody(store: Store) -> None:
    store.block_exchange("coinbase", seconds=100, reason="HTTP 429")
    store.block_exchange("coinbase", seconds=50, reason="HTTP 418")
    turn = store.take_requests("coinbase", per_second=0.1, burst=5)
    assert turn.blocked_seconds == pytest.approx(100, abs=5)
    (limit,) = store.limited_exchanges()
    assert (limit.exchange, limit.reason) == ("coinbase", "HTTP 429")
    assert store.take_requests("kraken", per_second=0.1, burst=1).blocked_seconds == 0


def test_a_silence_that_is_over_blocks_nobody_but_saved_nothing_up(store: Store) -> None:
    store.block_exchange("coinbase", seconds=0, reason="HTTP 429")
    turn = store.take_requests("coinbase", per_second=0.1, burst=5)
    assert turn.blocked_seconds == 0
    assert turn.starts_in == pytest.approx(0, abs=2)
    assert store.limited_exchanges() == []


def test_many_at_once_never_share_a_turn(store: Store) -> None:
    with ThreadPoolExecutor(max_workers=8) as pool:
        waits = sorted(pool.map(lambda _: wait(store, wait_seconds_max=10_000), range(40)))
    # They asked within a moment of each other, so the waits are a pace apart, but for that moment.
    assert waits == pytest.approx([10 * place for place in range(40)], abs=4)


@pytest.mark.parametrize("wrong", [{"per_second": 0}, {"burst": 0}, {"count": 0}, {"count": 10_001}])
def test_a_pace_that_is_none_is_refused(store: Store, wrong: dict[str, Any]) -> None:
    with pytest.raises(StoreError):
        wait(store, **wrong)
    with pytest.raises(StoreError):
        store.block_exchange("coinbase", seconds=8 * 86_400, reason="for ever")


# Pruning


def prune(store: Store, at: datetime, wanted_since: datetime = NOON + DAY) -> tuple[int, int, int]:
    pruned = store.prune(now=at, wanted_since=wanted_since, gaps_before=at, runs_before=at, alerts_before=at)
    return (pruned.gaps, pruned.runs, pruned.alerts)


def test_what_ended_long_ago_is_forgotten_and_nothing_else(store: Store) -> None:
    store.resolve_gap(claimed(store), state=GapState.FILLED, now=NOON)
    finish(store, start(store, "ann"))
    start(store, "bob")
    store.record_gaps(BTC, M1, [span(100, 101)], cause="scan", found_at=MONDAY)
    assert prune(store, NOON) == (0, 0, 0)
    assert prune(store, NOON + MINUTE / 2) == (1, 1, 0)
    assert [gap.state for gap in store.gaps(limit=10)] == [GapState.OPEN]
    assert states(store) == [("bob", RUNNING)]
    assert prune(store, NOON + DAY) == (0, 1, 0)


def test_history_that_is_wanted_is_not_forgotten_and_an_alert_about_unwanted_history_is_resolved(store: Store) -> None:
    give_up(store, claimed(store))
    assert prune(store, NOON + DAY, wanted_since=MONDAY + 4 * MINUTE) == (0, 0, 0)
    assert [alert.state for alert in store.alerts(limit=10)] == [AlertState.FIRING]
    assert prune(store, NOON + DAY, wanted_since=MONDAY + 5 * MINUTE) == (1, 0, 0)
    (alert,) = store.alerts(limit=10)
    assert (alert.state, alert.resolved_at) == (AlertState.RESOLVED, NOON + DAY)
    assert prune(store, NOON + 2 * DAY) == (0, 0, 1)
    assert store.alerts(limit=10) == []
