"""What the ledger of gaps means, over the store in memory and the one in Supabase."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import psycopg
import pytest
from marketdata.clock import FakeClock
from marketdata.compute.coverage import union
from marketdata.errors import NotFound, RequestInvalid, StoreError
from marketdata.model.candle import Source
from marketdata.model.gap import HISTORY, Gap, GapState
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.memory import MemoryStore
from marketdata.store.store import Store
from marketdata.store.supabase import SupabaseStore

from tests.conftest import RunningSupabase
from tests.contract.histories import BTC, ETH, M5, MINUTE, MONDAY, NOON, UNKNOWN, candle, drain, span

OPEN, LEASED, FILLED = GapState.OPEN, GapState.LEASED, GapState.FILLED
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture(params=["memory", pytest.param("supabase", marks=pytest.mark.stack)])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Each kind of store in turn, with two instruments that were put there at Monday midnight."""
    if request.param == "memory":
        memory = MemoryStore(FakeClock(MONDAY + 20 * SECOND))
        memory.put_instruments([BTC, ETH])
        yield memory
        return
    running: RunningSupabase = request.getfixturevalue("empty_supabase")
    store = SupabaseStore(running.url, running.service_key)
    store.put_instruments([BTC, ETH])
    with psycopg.connect(running.dsn) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("update instruments set created_at = %s", (MONDAY + 20 * SECOND,))
    yield store
    store.close()


def record(store: Store, *spans: Span, instrument: Instrument = BTC, cause: str = "scan") -> int:
    return store.record_gaps(instrument, M1, spans, cause=cause, found_at=NOON)


def claim(store: Store, worker: str = "worker", *, at: datetime = NOON, limit: int = 100) -> list[Gap]:
    return store.claim_gaps(worker, now=at, lease_seconds=60, limit=limit)


def release(store: Store, gap: Gap, *remaining: Span, retry_at: datetime = NOON) -> bool:
    return store.release_gap(gap, now=NOON, retry_at=retry_at, reason="throttled", remaining=remaining or None)


def listed(store: Store, *states: GapState) -> list[Span]:
    """The spans of the gaps in these states, in order of time."""
    return sorted(gap.span for gap in store.gaps(states=states or None, limit=10_000))


def found(
    store: Store, now: datetime, instrument: Instrument | None = None, history: timedelta = 4 * HOUR
) -> list[tuple[Instrument, Span]]:
    return store.find_gaps(now=now, history=history, grace=timedelta(0), instrument=instrument)


# Recording


def test_a_gap_comes_back_as_it_was_recorded(store: Store) -> None:
    assert record(store, span(3, 5), cause="disconnect") == 1
    (gap,) = store.gaps(limit=10)
    assert gap == Gap(gap.id, "coinbase", "BTC-USD", M1, span(3, 5), OPEN, "disconnect", NOON)


def test_recording_again_adds_nothing(store: Store) -> None:
    assert record(store, span(0, 10), span(20, 30)) == 2
    assert record(store, span(0, 10), span(22, 25)) == 0
    assert listed(store) == [span(0, 10), span(20, 30)]


def test_what_overlaps_or_touches_an_open_gap_is_merged_into_it(store: Store) -> None:
    record(store, span(0, 10), span(20, 30), span(40, 50), span(60, 70))
    first = store.gaps(limit=1)[0]
    assert record(store, span(10, 20), span(28, 35), span(70, 71)) == 2
    assert listed(store) == [span(0, 35), span(40, 50), span(60, 71)]
    assert store.gaps(limit=1)[0].id == first.id


def test_spans_are_widened_to_whole_buckets(store: Store) -> None:
    assert record(store, Span(NOON + SECOND, NOON + 2 * SECOND)) == 1
    assert store.record_gaps(BTC, M5, [span(1, 6)], cause="scan", found_at=NOON) == 1
    assert listed(store) == [span(0, 10), span(720, 721)]


def test_gaps_of_other_instruments_and_timeframes_are_gaps_of_their_own(store: Store) -> None:
    record(store, span(0, 10))
    assert record(store, span(0, 10), instrument=ETH) == 1
    assert store.record_gaps(BTC, M5, [span(0, 10)], cause="scan", found_at=NOON) == 1
    assert len(store.gaps(limit=10)) == 3


def test_what_is_being_repaired_is_neither_recorded_again_nor_grows(store: Store) -> None:
    record(store, span(0, 10))
    claim(store)
    assert record(store, span(5, 15)) == 1
    assert (listed(store, LEASED), listed(store, OPEN)) == ([span(0, 10)], [span(10, 15)])


def test_a_gap_that_grows_keeps_its_attempts_and_when_to_retry(store: Store) -> None:
    record(store, span(0, 10))
    release(store, claim(store)[0], retry_at=NOON + HOUR)
    record(store, span(10, 12))
    (gap,) = store.gaps(limit=10)
    assert (gap.span, gap.attempts, gap.retry_at, gap.reason) == (span(0, 12), 1, NOON + HOUR, "throttled")


@pytest.mark.parametrize("state", [state for state in GapState if state.resolved])
def test_a_resolved_gap_does_not_block_a_new_one(store: Store, state: GapState) -> None:
    record(store, span(0, 10))
    assert store.resolve_gap(claim(store)[0], state=state, now=NOON)
    assert record(store, span(0, 10)) == 1
    assert (listed(store, OPEN), listed(store, state)) == ([span(0, 10)], [span(0, 10)])


def test_a_gap_has_a_cause_and_an_instrument(store: Store) -> None:
    with pytest.raises(StoreError):
        record(store, span(0, 1), cause="")
    with pytest.raises(NotFound):
        record(store, span(0, 1), instrument=UNKNOWN)
    assert record(store) == 0
    assert store.gaps(limit=1) == []


# Listing


def test_the_ledger_is_read_page_by_page_by_state_and_by_instrument(store: Store) -> None:
    record(store, *(span(2 * number, 2 * number + 1) for number in range(1_200)))
    record(store, span(0, 1), instrument=ETH)
    everything = store.gaps(limit=10_000)
    assert len(everything) == 1_201, "beyond the server's cap on rows"
    assert [gap.id for gap in everything] == sorted(gap.id for gap in everything)
    first = store.gaps(limit=1_000)
    assert first + store.gaps(limit=1_000, after_id=first[-1].id) == everything
    assert [gap.symbol for gap in store.gaps(instrument=ETH, limit=10)] == ["ETH-USD"]
    assert store.gaps(states=[FILLED], limit=10) == store.gaps(states=[], limit=10) == []


@pytest.mark.parametrize("limit", [0, 10_001])
def test_questions_are_bounded(store: Store, limit: int) -> None:
    with pytest.raises(RequestInvalid):
        store.gaps(limit=limit)
    with pytest.raises(RequestInvalid):
        claim(store, limit=limit)
    with pytest.raises(StoreError):
        store.claim_gaps("", now=NOON, lease_seconds=60, limit=1)
    with pytest.raises(StoreError):
        store.claim_gaps("worker", now=NOON, lease_seconds=0, limit=1)


# Leases


def test_the_newest_gap_is_leased_first(store: Store) -> None:
    record(store, span(0, 10), span(60, 70))
    record(store, span(30, 40), instrument=ETH)
    assert [gap.span for gap in claim(store, limit=2)] == [span(60, 70), span(30, 40)]
    assert [gap.span for gap in claim(store, limit=2)] == [span(0, 10)]


def test_a_lease_says_who_holds_it_until_when(store: Store) -> None:
    record(store, span(0, 10))
    (gap,) = claim(store, "ann")
    assert (gap.state, gap.worker, gap.lease_until, gap.attempts) == (LEASED, "ann", NOON + 60 * SECOND, 1)
    assert store.gaps(limit=10) == [gap]


def test_a_worker_may_ask_for_one_exchange(store: Store) -> None:
    other = replace(BTC, exchange="kraken")
    store.put_instruments([other])
    record(store, span(0, 10))
    record(store, span(0, 10), instrument=other)
    found = store.claim_gaps("ann", now=NOON, lease_seconds=60, limit=10, exchange="kraken")
    assert [gap.exchange for gap in found] == ["kraken"]


def test_a_gap_is_not_leased_before_it_may_be_retried(store: Store) -> None:
    record(store, span(0, 10))
    assert release(store, claim(store)[0], retry_at=NOON + MINUTE)
    assert claim(store, at=NOON + MINUTE - SECOND) == []
    assert [gap.attempts for gap in claim(store, at=NOON + MINUTE)] == [2]


def test_a_lease_that_ran_out_is_given_to_another(store: Store) -> None:
    record(store, span(0, 10))
    claim(store, "ann")
    assert claim(store, "bob", at=NOON + 59 * SECOND) == []
    (gap,) = claim(store, "bob", at=NOON + 60 * SECOND)
    assert (gap.worker, gap.attempts) == ("bob", 2)


@pytest.mark.parametrize("successor", ["bob", "ann"], ids=["another worker", "the same worker again"])
def test_a_zombie_changes_nothing(store: Store, successor: str) -> None:
    record(store, span(0, 10))
    (lost,) = claim(store, "ann")
    (held,) = claim(store, successor, at=NOON + HOUR)
    assert not store.resolve_gap(lost, state=FILLED, now=NOON)
    assert not release(store, lost)
    assert not release(store, lost, span(0, 5))
    assert store.gaps(limit=10) == [held]
    assert store.resolve_gap(held, state=GapState.UNRECOVERABLE, now=NOON, reason="gone")
    resolved = store.gaps(limit=10)
    assert not store.resolve_gap(lost, state=GapState.UNRECOVERABLE, now=NOON)
    assert store.gaps(limit=10) == resolved


def test_an_open_gap_has_no_holder_to_close_it(store: Store) -> None:
    record(store, span(0, 10))
    (gap,) = store.gaps(limit=1)
    assert not store.resolve_gap(gap, state=FILLED, now=NOON)
    assert not release(store, gap)
    assert store.gaps(limit=1) == [gap]


def test_a_resolved_gap_says_when_and_why(store: Store) -> None:
    record(store, span(0, 10))
    (gap,) = claim(store)
    later = NOON + MINUTE
    assert store.resolve_gap(gap, state=GapState.UNRECOVERABLE, now=later, reason="x" * 1_000)
    (kept,) = store.gaps(limit=1)
    assert kept == replace(gap, state=GapState.UNRECOVERABLE, lease_until=None, repaired_at=later, reason="x" * 300)
    assert claim(store, at=NOON + 24 * HOUR) == []


def test_an_answer_that_was_lost_may_be_asked_for_again(store: Store) -> None:
    record(store, span(0, 10), span(20, 30))
    newer, older = claim(store)
    for _ in range(2):
        assert store.resolve_gap(newer, state=FILLED, now=NOON)
        assert release(store, older, span(2, 3), span(5, 7))
    assert (listed(store, OPEN), listed(store, LEASED)) == ([span(2, 3), span(5, 7)], [])
    assert not store.resolve_gap(newer, state=GapState.NO_TRADES, now=NOON)


@pytest.mark.parametrize("state", [OPEN, LEASED])
def test_an_unresolved_state_resolves_nothing(store: Store, state: GapState) -> None:
    record(store, span(0, 10))
    with pytest.raises(StoreError):
        store.resolve_gap(claim(store)[0], state=state, now=NOON)


def test_a_gap_given_back_in_parts_is_filled_for_the_rest(store: Store) -> None:
    record(store, span(0, 10), cause="history")
    assert release(store, claim(store)[0], span(2, 3), span(6, 20), retry_at=NOON + MINUTE)
    assert listed(store, OPEN) == [span(2, 3), span(6, 10)]
    assert listed(store, FILLED) == [span(0, 2), span(3, 6)]
    open_gaps = store.gaps(states=[OPEN], limit=10)
    assert {(gap.cause, gap.attempts, gap.retry_at, gap.reason) for gap in open_gaps} == {
        ("history", 1, NOON + MINUTE, "throttled")
    }
    assert [gap.repaired_at for gap in store.gaps(states=[FILLED], limit=10)] == [NOON, NOON]


def test_a_gap_given_back_with_nothing_remaining_is_filled(store: Store) -> None:
    record(store, span(0, 10))
    (gap,) = claim(store)
    for _ in range(2):
        assert store.release_gap(gap, now=NOON, retry_at=NOON, reason="", remaining=[])
    assert (listed(store, FILLED), listed(store, OPEN, LEASED)) == ([span(0, 10)], [])


def test_four_workers_at_once_never_get_the_same_gap(store: Store) -> None:
    record(store, *(span(2 * number, 2 * number + 1) for number in range(300)))

    def work(worker: str) -> list[int]:
        taken: list[int] = []
        while gaps := claim(store, worker, limit=7):
            taken.extend(gap.id for gap in gaps)
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [id_ for ids in pool.map(work, "abcd") for id_ in ids]
    assert len(taken) == len(set(taken)) == 300


def test_four_who_record_at_once_never_overlap(store: Store) -> None:
    chances = [Random(seed) for seed in range(4)]

    def work(chance: Random) -> None:
        for _ in range(15):
            starts = [chance.randrange(200) for _ in range(3)]
            record(store, *(span(start, start + chance.randrange(1, 9)) for start in starts))
            for gap in claim(store, f"worker {id(chance)}", limit=2):
                release(store, gap, Span(gap.span.start, gap.span.start + MINUTE))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, chances))
    unresolved = listed(store, OPEN, LEASED)
    assert sum((one.end - one.start for one in unresolved), timedelta()) == sum(
        (one.end - one.start for one in union(unresolved)), timedelta()
    )


# Finding


def put_minutes(store: Store, minutes: Iterable[int], instrument: Instrument = BTC) -> None:
    store.put_candles([candle(number, instrument=instrument) for number in minutes])
    drain(store)


def missing(numbers: Iterable[int]) -> list[tuple[Instrument, Span]]:
    return [(BTC, one) for one in union(span(number, number + 1) for number in numbers)]


def at(minute: int, seconds: int = 30) -> datetime:
    """Inside the minute that is open."""
    return MONDAY + minute * MINUTE + seconds * SECOND


ALL = frozenset(range(180))


def a_run(random: Random) -> set[int]:
    start = random.randrange(180)
    return set(range(start, min(180, start + random.randrange(1, 30))))


REMOVALS: dict[str, Callable[[Random], set[int]]] = {
    "nothing": lambda _: set(),
    "everything": lambda _: set(ALL),
    "a single minute": lambda random: {random.randrange(1, 179)},
    "the first": lambda random: set(range(random.randrange(1, 20))),
    "the last": lambda random: set(range(180 - random.randrange(1, 20), 180)),
    "runs": lambda random: a_run(random) | a_run(random) | a_run(random),
    "every second one": lambda _: set(range(0, 180, 2)),
    "any subset": lambda random: {number for number in ALL if random.random() < random.choice([0.05, 0.5, 0.9])},
}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("removal", REMOVALS)
def test_exactly_the_minutes_that_were_removed_are_found(store: Store, removal: str, seed: int) -> None:
    removed = REMOVALS[removal](Random(seed))
    put_minutes(store, ALL - removed)
    assert found(store, at(180), BTC) == missing(removed)


def test_the_open_minute_is_no_gap_and_neither_is_what_grace_leaves_out(store: Store) -> None:
    put_minutes(store, range(5))
    assert found(store, at(5, 59), BTC) == []
    assert found(store, at(6, 0), BTC) == missing([5])
    assert store.find_gaps(now=at(6, 19), history=HOUR, grace=20 * SECOND, instrument=BTC) == []
    assert store.find_gaps(now=at(6, 20), history=HOUR, grace=20 * SECOND, instrument=BTC) == missing([5])


def test_a_partial_candle_is_a_gap_and_a_confirmed_silence_is_none(store: Store) -> None:
    put_minutes(store, [0, 1, 4])
    store.put_candles([candle(2, source=Source.PARTIAL)])
    store.mark_empty(BTC, M1, [span(3, 4)])
    drain(store)
    assert found(store, at(5), BTC) == missing([2])


def test_history_goes_back_no_further_than_asked_nor_than_the_instrument_is_known(store: Store) -> None:
    assert found(store, at(10), BTC, history=4 * HOUR) == missing(range(10)), "known since Monday midnight"
    assert found(store, at(10), BTC, history=3 * MINUTE) == missing([8, 9]), "whole minutes"
    assert found(store, MONDAY - HOUR, BTC) == found(store, at(10), BTC, history=timedelta(0)) == []


def test_history_that_was_once_ordered_is_wanted_from_then_on(store: Store) -> None:
    record(store, span(-120, -60), cause="history")
    put_minutes(store, {*range(-120, -60), *range(10)} - {-120, -90})
    assert store.resolve_gap(claim(store)[0], state=FILLED, now=NOON)
    assert found(store, at(10), BTC) == missing([-120, -90])
    assert found(store, at(10), BTC, history=HOUR + 45 * MINUTE) == missing([-90])


def test_a_span_across_months_is_looked_up_in_both(store: Store) -> None:
    september = 24 * 60
    put_minutes(store, set(range(september - 40, september + 30)) - {september - 1, september, september + 5})
    assert found(store, at(september + 30), BTC, history=HOUR) == missing([september - 1, september, september + 5])
    record(store, span(september - 2, september + 2))
    assert store.close_covered_gaps(now=NOON) == 1
    assert listed(store, OPEN) == [span(september - 1, september + 1)]


def test_what_is_on_the_ledger_is_not_found_again_unless_it_was_filled(store: Store) -> None:
    record(store, span(0, 2), span(4, 6), span(8, 9), span(10, 11))
    gaps = {gap.span: gap for gap in claim(store)}
    store.resolve_gap(gaps[span(4, 6)], state=GapState.UNRECOVERABLE, now=NOON)
    store.resolve_gap(gaps[span(8, 9)], state=GapState.MARKET_CLOSED, now=NOON)
    store.resolve_gap(gaps[span(10, 11)], state=FILLED, now=NOON)
    record(store, span(12, 13))
    assert found(store, at(14), BTC) == missing([2, 3, 6, 7, 9, 10, 11, 13])


def test_every_active_instrument_is_scanned_in_order_and_no_other(store: Store) -> None:
    put_minutes(store, [0, 2])
    put_minutes(store, [1], ETH)
    store.put_instruments([replace(ETH, symbol="OLD-USD", active=False), replace(ETH, symbol="AAA-USD")])
    spans = [(one.symbol, gap) for one, gap in found(store, at(3)) if one.symbol != "AAA-USD"]
    assert spans == [("BTC-USD", span(1, 2)), ("ETH-USD", span(0, 1)), ("ETH-USD", span(2, 3))]
    with pytest.raises(NotFound):
        found(store, at(3), UNKNOWN)


def test_what_is_found_and_recorded_is_not_found_again(store: Store) -> None:
    put_minutes(store, {3, 4, 9})
    gaps = [gap for _, gap in found(store, at(12), BTC)]
    assert record(store, *gaps) == 3
    assert found(store, at(12), BTC) == []
    assert record(store, *(gap for _, gap in found(store, at(13), BTC))) == 1, "the tail grows"
    assert listed(store, OPEN) == [span(0, 3), span(5, 9), span(10, 13)]


# Closing


def test_open_gaps_that_are_held_by_now_are_filled_and_others_shrink_to_what_is_left(store: Store) -> None:
    record(store, span(0, 4), span(10, 20), span(30, 35), span(50, 55))
    put_minutes(store, [0, 1, 2, 14, 15, 30])
    store.mark_empty(BTC, M1, [span(3, 4), span(34, 35)])
    store.put_candles([candle(31, source=Source.PARTIAL)])
    drain(store)
    assert store.close_covered_gaps(now=NOON) == 3
    assert listed(store, OPEN) == [span(10, 14), span(16, 20), span(31, 34), span(50, 55)]
    assert listed(store, FILLED) == [span(0, 4), span(14, 16), span(30, 31), span(34, 35)]
    assert {gap.repaired_at for gap in store.gaps(states=[FILLED], limit=10)} == {NOON}
    assert store.close_covered_gaps(now=NOON) == 0


def test_what_somebody_works_on_is_left_alone_until_the_lease_runs_out(store: Store) -> None:
    record(store, span(0, 4))
    (lost,) = claim(store)
    put_minutes(store, range(3))
    assert store.close_covered_gaps(now=NOON + 59 * SECOND) == 0
    assert store.close_covered_gaps(now=NOON + 60 * SECOND) == 1
    assert (listed(store, OPEN), listed(store, FILLED)) == ([span(3, 4)], [span(0, 3)])
    assert not store.resolve_gap(lost, state=FILLED, now=NOON)
    assert not release(store, lost)
    assert [gap.span for gap in claim(store, at=NOON + HOUR)] == [span(3, 4)]


def test_a_zombie_does_not_claim_what_was_closed_without_it(store: Store) -> None:
    record(store, span(0, 4))
    (lost,) = claim(store)
    put_minutes(store, range(4))
    assert store.close_covered_gaps(now=NOON + HOUR) == 1
    assert not store.resolve_gap(lost, state=FILLED, now=NOON)
    assert not store.release_gap(lost, now=NOON, retry_at=NOON, reason="", remaining=[])
    assert listed(store, FILLED) == [span(0, 4)]


# Both stores side by side


@pytest.mark.stack
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_both_stores_keep_the_same_ledger_of_the_same_life(empty_supabase: RunningSupabase, seed: int) -> None:
    database = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    lives = [a_life(one, Random(seed)) for one in (MemoryStore(), database)]
    assert lives[0] == lives[1], f"seed {seed}"
    database.close()


def a_life(store: Store, random: Random) -> list[object]:
    """What a store says while gaps are recorded, leased, given back, resolved and covered, from one seed."""
    store.put_instruments([BTC])
    said: list[object] = []
    held: list[Gap] = []
    for step in range(40):
        now = NOON + step * 20 * SECOND
        match random.randrange(6):
            case 0 | 1:
                said.append(record(store, *spans_of(random)))
            case 2:
                claimed = store.claim_gaps(random.choice("ab"), now=now, lease_seconds=45, limit=3)
                held.extend(claimed)
                said.append(nameless(claimed))
            case 3 if held:
                gap = held.pop(random.randrange(len(held)))
                remaining = random.choice([None, [], spans_of(random)])
                retry_at = now + random.randrange(60) * SECOND
                said.append(store.release_gap(gap, now=now, retry_at=retry_at, reason="r", remaining=remaining))
            case 4 if held:
                gap = held.pop(random.randrange(len(held)))
                state = random.choice([state for state in GapState if state.resolved])
                said.append(store.resolve_gap(gap, state=state, now=now))
            case _:
                put_minutes(store, {random.randrange(60) for _ in range(3)})
                said.append(store.close_covered_gaps(now=now))
        said.append(nameless(sorted(store.gaps(limit=10_000), key=lambda gap: (gap.span, gap.state, gap.attempts))))
    return said


def spans_of(random: Random) -> list[Span]:
    starts = [random.randrange(60) for _ in range(random.randrange(1, 5))]
    return [span(start, start + random.randrange(1, 8)) for start in starts]


def nameless(gaps: Sequence[Gap]) -> list[Gap]:
    """Their numbers say only how many there were before."""
    return [replace(gap, id=0) for gap in gaps]


# Ordered history


def unasked(store: Store, history: timedelta = HOUR) -> list[tuple[Instrument, Span]]:
    return store.find_history(now=NOON, history=history)


def order(store: Store, *spans: Span) -> int:
    return record(store, *spans, cause=HISTORY)


def test_the_time_before_an_instrument_was_known_is_history_to_order(store: Store) -> None:
    assert unasked(store, 13 * HOUR) == [(BTC, span(-60, 0)), (ETH, span(-60, 0))]
    assert unasked(store, 12 * HOUR) == []


def test_history_is_ordered_once_whatever_became_of_it(store: Store) -> None:
    order(store, span(-60, -30))
    assert unasked(store, 13 * HOUR)[0] == (BTC, span(-30, 0))
    store.resolve_gap(claim(store)[0], state=GapState.UNRECOVERABLE, now=NOON, reason="gone")
    assert unasked(store, 13 * HOUR)[0] == (BTC, span(-30, 0))
    assert unasked(store, 13 * HOUR + 10 * MINUTE)[0:2] == [(BTC, span(-70, -60)), (BTC, span(-30, 0))]


def test_history_that_is_held_or_known_to_be_empty_is_not_ordered(store: Store) -> None:
    store.put_candles([candle(-50), candle(-49, source=Source.PARTIAL)])
    store.mark_empty(BTC, M1, [span(-10, -5)])
    drain(store)
    assert [one for instrument, one in unasked(store, 13 * HOUR) if instrument == BTC] == [
        span(-60, -50),
        span(-49, -10),
        span(-5, 0),
    ]


def test_nothing_is_ordered_of_what_is_not_followed(store: Store) -> None:
    store.put_instruments([replace(ETH, active=False)])
    assert unasked(store, 13 * HOUR) == [(BTC, span(-60, 0))]


def test_ordered_history_and_what_was_lost_do_not_grow_into_each_other(store: Store) -> None:
    order(store, span(-60, 0))
    assert record(store, span(-5, 1)) == 1
    assert order(store, span(-70, -60)) == 1
    assert sorted((gap.span, gap.cause) for gap in store.gaps(limit=10)) == [
        (span(-70, 0), HISTORY),
        (span(0, 1), "scan"),
    ]


def test_ordered_history_is_leased_after_everything_else(store: Store) -> None:
    order(store, span(-60, 0), span(100, 101))
    record(store, span(-90, -80), span(10, 20), cause="disconnect")
    record(store, span(0, 3), instrument=ETH)
    assert [gap.span for gap in claim(store, limit=3)] == [span(10, 20), span(0, 3), span(-90, -80)]
    assert [gap.span for gap in claim(store)] == [span(100, 101), span(-60, 0)]


def test_what_nobody_got_to_stays_due_and_nothing_is_said_against_it(store: Store) -> None:
    order(store, span(0, 100))
    (gap,) = claim(store)
    assert store.release_gap(
        gap, now=NOON, retry_at=NOON + HOUR, reason="malformed", remaining=[span(90, 91)], untouched=[span(0, 50)]
    )
    assert listed(store, FILLED) == [span(50, 90), span(91, 100)]
    parts = sorted((one.span, one.retry_at, one.reason) for one in store.gaps(states=[OPEN], limit=10))
    assert parts == [(span(0, 50), None, ""), (span(90, 91), NOON + HOUR, "malformed")]
    assert [one.span for one in claim(store)] == [span(0, 50)]


def test_parts_that_touch_stay_apart_if_only_one_was_tried(store: Store) -> None:
    order(store, span(0, 100))
    (gap,) = claim(store)
    for _ in range(2):
        assert store.release_gap(
            gap, now=NOON, retry_at=NOON + HOUR, reason="x", remaining=[span(50, 100)], untouched=[span(0, 50)]
        )
    assert listed(store, OPEN) == [span(0, 50), span(50, 100)]


def test_only_what_nobody_got_to_may_be_left(store: Store) -> None:
    order(store, span(0, 100))
    (gap,) = claim(store)
    assert store.release_gap(gap, now=NOON, retry_at=NOON, reason="", remaining=[], untouched=[span(0, 50)])
    assert (listed(store, OPEN), listed(store, FILLED)) == ([span(0, 50)], [span(50, 100)])
