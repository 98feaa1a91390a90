"""What a page of candles says of its own holes, over the store in memory and the one in Supabase."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest
from marketdata.errors import NotFound, RequestInvalid
from marketdata.model.candle import Candle, Source
from marketdata.model.gap import GapState, NamedSpan
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, Timeframe
from marketdata.store.answers import CandlePage
from marketdata.store.memory import MemoryStore
from marketdata.store.store import Store
from marketdata.store.supabase import SupabaseStore

from tests.conftest import RunningSupabase
from tests.contract.histories import BTC, ETH, H1, M5, MINUTE, MONDAY, NOON, UNKNOWN, a_history, candle, drain, span

OPEN, LEASED = GapState.OPEN, GapState.LEASED


@pytest.fixture(params=["memory", pytest.param("supabase", marks=pytest.mark.stack)])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Each kind of store in turn, with two instruments."""
    if request.param == "memory":
        memory = MemoryStore()
        memory.put_instruments([BTC, ETH])
        yield memory
        return
    running: RunningSupabase = request.getfixturevalue("empty_supabase")
    store = SupabaseStore(running.url, running.service_key)
    store.put_instruments([BTC, ETH])
    yield store
    store.close()


def at(minute: int) -> datetime:
    return MONDAY + minute * MINUTE


def put(store: Store, *numbers: int, source: Source = Source.PROVEN) -> None:
    store.put_candles([candle(number, source=source) for number in numbers])
    drain(store)


def record(store: Store, *spans: Span) -> None:
    store.record_gaps(BTC, M1, spans, cause="scan", found_at=NOON)


def page(
    store: Store,
    start: int | None,
    end: int | None,
    *,
    timeframe: Timeframe = M1,
    limit: int = 1_000,
    settled: int = 600,
    newest_first: bool = False,
) -> CandlePage:
    return store.read_candles(
        BTC,
        timeframe,
        start=None if start is None else at(start),
        end=None if end is None else at(end),
        limit=limit,
        settled=at(settled),
        newest_first=newest_first,
    )


def minutes_of(candles: Sequence[Candle]) -> list[int]:
    return [(one.open_time - MONDAY) // MINUTE for one in candles]


def test_a_page_without_holes_says_nothing_more(store: Store) -> None:
    put(store, *range(5))
    record(store, span(10, 20))
    found = page(store, 0, 5)
    assert found == CandlePage(store.candles(BTC, M1, start=at(0), end=at(5), limit=1_000))
    assert minutes_of(found.candles) == [0, 1, 2, 3, 4]


def test_a_hole_is_told_by_coverage_and_ledger(store: Store) -> None:
    put(store, 0, 1, 9)
    put(store, 2, source=Source.PARTIAL)
    store.mark_empty(BTC, M1, [span(3, 5)])
    record(store, span(2, 3), span(5, 6), span(7, 8), span(9, 10))
    (leased,) = store.claim_gaps("ann", now=NOON, lease_seconds=60, limit=2)[1:]
    assert leased.span == span(7, 8)
    found = page(store, 0, 10)
    assert (found.empty, found.lacking, found.lacking_total) == ((span(3, 5),), (span(2, 3),), 1)
    assert found.named == (
        NamedSpan(span(2, 3), OPEN),
        NamedSpan(span(5, 6), OPEN),
        NamedSpan(span(7, 8), LEASED),
    ), "and not the gap of the minute that is held"


def test_what_was_given_up_says_why_and_what_was_filled_is_of_no_interest(store: Store) -> None:
    put(store, 0, 9)
    record(store, span(1, 3), span(5, 7))
    newer, older = store.claim_gaps("ann", now=NOON, lease_seconds=60, limit=2)
    store.resolve_gap(older, state=GapState.UNRECOVERABLE, now=NOON, reason="8 fruitless: gone")
    store.resolve_gap(newer, state=GapState.FILLED, now=NOON)
    assert page(store, 0, 10).named == (NamedSpan(span(1, 3), GapState.UNRECOVERABLE, "8 fruitless: gone"),)


def test_the_gaps_of_others_are_not_told(store: Store) -> None:
    put(store, 0, 9)
    store.record_gaps(ETH, M1, [span(1, 3)], cause="scan", found_at=NOON)
    assert page(store, 0, 10).named == ()


def test_an_hour_names_the_minutes_that_it_lacks(store: Store) -> None:
    put(store, *(set(range(60)) - {10, 11, 40, 50}))
    store.mark_empty(BTC, M1, [span(50, 51)])
    drain(store)
    record(store, span(40, 41))
    found = page(store, 0, 120, timeframe=H1)
    assert [one.complete for one in found.candles] == [False]
    assert (found.lacking, found.lacking_total) == ((span(10, 12), span(40, 41)), 2)
    assert found.named == (NamedSpan(span(40, 41), OPEN),)
    put(store, 10, 11, 40)
    healed = page(store, 0, 60, timeframe=H1)
    assert [one.complete for one in healed.candles] == [True]
    assert (healed.lacking, healed.named) == ((), ())


def test_a_page_speaks_of_no_more_than_it_answers(store: Store) -> None:
    put(store, 2, 5, 6, 9)
    store.mark_empty(BTC, M1, [span(number, number + 1) for number in (0, 3, 7, 10)])
    record(store, *(span(number, number + 1) for number in (1, 4, 8, 11)))

    def told(found: CandlePage) -> list[int]:
        edges = (*found.empty, *(one.span for one in found.named))
        return sorted((one.start - MONDAY) // MINUTE for one in edges)

    assert told(page(store, 0, 12)) == [0, 1, 3, 4, 7, 8, 10, 11]
    assert told(page(store, None, 12)) == [3, 4, 7, 8, 10, 11], "from the oldest candle"
    assert told(page(store, 0, None, settled=11)) == [0, 1, 3, 4, 7, 8, 10], "to what is settled"
    assert told(page(store, 0, 12, limit=2)) == [0, 1, 3, 4], "to where it was cut"
    assert told(page(store, 0, 12, limit=2, newest_first=True)) == [7, 8, 10, 11]
    assert told(page(store, 0, 12, limit=1, newest_first=True)) == [10, 11]
    assert told(page(store, 13, 12)) == []
    assert told(page(store, 0, 12, settled=0)) == []


def test_a_span_of_which_nothing_is_held_is_told_too(store: Store) -> None:
    record(store, span(0, 60))
    assert page(store, 10, 20).named == (NamedSpan(span(0, 60), OPEN),)
    assert page(store, None, None).named == ()


def test_many_gaps_are_cut_and_said_to_be(store: Store) -> None:
    record(store, *(span(2 * number, 2 * number + 1) for number in range(1_001)))
    found = page(store, 0, 2_400, settled=2_400)
    assert (len(found.named), found.named_cut) == (1_000, True)
    assert [one.span for one in found.named[:2]] == [span(0, 1), span(2, 3)]
    assert not page(store, 2, 2_400, settled=2_400).named_cut


def test_many_minutes_that_candles_lack_are_counted(store: Store) -> None:
    put(store, *range(0, 2_880, 2))
    found = page(store, 0, 2_880, timeframe=H1, settled=2_880)
    assert (len(found.lacking), found.lacking_total) == (1_000, 1_440)


def test_the_candles_are_those_of_the_plain_question(store: Store) -> None:
    put(store, *range(0, 30, 3))
    for timeframe in (M1, M5):
        for newest_first in (True, False):
            asked = {"start": at(4), "end": at(22), "limit": 3, "newest_first": newest_first}
            plain = store.candles(BTC, timeframe, **asked)  # type: ignore[arg-type]
            found = store.read_candles(BTC, timeframe, settled=at(600), **asked)  # type: ignore[arg-type]
            assert found.candles == plain


def test_a_question_out_of_bounds_is_refused(store: Store) -> None:
    with pytest.raises(RequestInvalid):
        page(store, 0, 10, limit=10_001)
    with pytest.raises(NotFound):
        store.read_candles(UNKNOWN, M1, start=None, end=None, limit=1, settled=NOON)


@pytest.mark.stack
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_both_stores_say_the_same_of_any_page(empty_supabase: RunningSupabase, seed: int) -> None:
    random = Random(seed)
    minutes, empty = a_history(random)
    database = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    stores: list[Store] = [MemoryStore(), database]
    gaps = [span(start, start + random.randrange(1, 9)) for start in random.sample(range(-40, 150), 12)]
    for one in stores:
        one.put_instruments([BTC])
        one.put_candles(minutes)
        one.mark_empty(BTC, M1, empty)
        drain(one)
        record(one, *gaps)
    for _ in range(60):
        start, end = (random.choice([None, random.randrange(-60, 200)]) for _ in "ab")
        question = {
            "timeframe": random.choice([M1, M5, H1]),
            "limit": random.choice([1, 2, 20, 1_000]),
            "settled": random.randrange(-60, 400),
            "newest_first": random.random() < 0.5,
        }
        ours, theirs = (page(one, start, end, **question) for one in stores)  # type: ignore[arg-type]
        assert replace(ours, candles=[]) == replace(theirs, candles=[]), (start, end, question)
        assert minutes_of(ours.candles) == minutes_of(theirs.candles)
    database.close()


# Closed markets


def closed_spans(store: Store) -> list[Span]:
    return sorted(gap.span for gap in store.gaps(states=[GapState.MARKET_CLOSED], limit=1_000))


def test_a_closed_session_is_one_gap_that_grows(store: Store) -> None:
    assert store.mark_closed(BTC, [span(0, 10)], now=NOON) == 1
    (first,) = store.gaps(limit=10)
    assert (first.state, first.cause, first.found_at, first.repaired_at) == (
        GapState.MARKET_CLOSED,
        "calendar",
        NOON,
        NOON,
    )
    assert store.mark_closed(BTC, [span(0, 10)], now=NOON + MINUTE) == 0
    assert store.gaps(limit=10) == [first]
    assert store.mark_closed(BTC, [span(0, 15), span(100, 110)], now=NOON + MINUTE) == 2
    assert closed_spans(store) == [span(0, 15), span(100, 110)]
    assert store.gaps(limit=1)[0] == replace(first, span=span(0, 15), repaired_at=NOON + MINUTE)
    assert store.mark_closed(BTC, [span(12, 105)], now=NOON) == 1
    assert closed_spans(store) == [span(0, 110)]


def test_closed_time_is_neither_found_nor_missing_and_whole_minutes_count(store: Store) -> None:
    record(store, span(0, 6))
    store.resolve_gap(store.claim_gaps("ann", now=NOON, lease_seconds=60, limit=1)[0], state=GapState.FILLED, now=NOON)
    put(store, 0, 4)
    half = timedelta(seconds=30)
    store.mark_closed(BTC, [Span(at(1) - half, at(4) + half)], now=NOON)
    drain(store)
    assert store.coverage(BTC, M1, span(0, 5)).empty == (span(1, 4),)
    assert store.find_gaps(now=at(6), history=timedelta(minutes=6), grace=timedelta(0), instrument=BTC) == [
        (BTC, span(5, 6))
    ]
    assert [one.complete for one in store.candles(BTC, M5, start=None, end=None, limit=10)] == [True]


def test_a_candle_of_closed_time_stays(store: Store) -> None:
    put(store, 3)
    store.mark_closed(BTC, [span(0, 10)], now=NOON)
    drain(store)
    assert store.coverage(BTC, M1, span(0, 10)).empty == (span(0, 3), span(4, 10))
    assert minutes_of(store.candles(BTC, M1, start=None, end=None, limit=10)) == [3]


def test_an_unresolved_gap_is_split_where_sessions_begin_and_end(store: Store) -> None:
    record(store, span(0, 30), span(40, 45), span(60, 70), span(80, 90))
    store.claim_gaps("ann", now=NOON, lease_seconds=60, limit=2)
    store.mark_closed(BTC, [span(10, 20), span(40, 50), span(65, 85)], now=NOON)
    assert sorted(gap.span for gap in store.gaps(states=[OPEN], limit=10)) == [span(0, 10), span(20, 30)]
    leased = store.gaps(states=[LEASED], limit=10)
    assert sorted(gap.span for gap in leased) == [span(60, 65), span(85, 90)]
    assert all(store.resolve_gap(gap, state=GapState.FILLED, now=NOON) for gap in leased)
    assert closed_spans(store) == [span(10, 20), span(40, 50), span(65, 85)]


def test_a_leased_gap_of_closed_time_alone_is_lost_to_its_holder(store: Store) -> None:
    record(store, span(0, 10))
    (gap,) = store.claim_gaps("ann", now=NOON, lease_seconds=60, limit=1)
    store.mark_closed(BTC, [span(0, 20)], now=NOON)
    assert not store.resolve_gap(gap, state=GapState.FILLED, now=NOON)
    assert store.gaps(states=[OPEN, LEASED, GapState.FILLED], limit=10) == []


def test_closed_time_is_not_counted(store: Store) -> None:
    put(store, *range(0, 20, 2))
    store.mark_empty(BTC, M1, [span(1, 2), span(13, 14)])
    drain(store)
    (day,) = store.count_candles(BTC, M1, span(0, 60), closed=[span(10, 60)])
    assert (day.proven, day.empty) == (5, 1)
    (day,) = store.count_candles(BTC, M5, span(0, 60), closed=[span(12, 60)])
    assert day.partial == 3, "a bucket of which part was traded counts"
    assert store.count_candles(BTC, M1, span(0, 60), closed=[span(0, 60)]) == []


def test_an_instrument_that_is_not_known_has_no_sessions(store: Store) -> None:
    with pytest.raises(NotFound):
        store.mark_closed(UNKNOWN, [span(0, 1)], now=NOON)
    assert store.mark_closed(BTC, [], now=NOON) == 0


@pytest.mark.stack
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_both_stores_name_the_same_sessions(empty_supabase: RunningSupabase, seed: int) -> None:
    database = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    lives = [a_life(one, Random(seed)) for one in (MemoryStore(), database)]
    assert lives[0] == lives[1], f"seed {seed}"
    database.close()


def a_life(store: Store, random: Random) -> list[object]:
    """What a store says while candles, silence, gaps and closed sessions come in any order."""
    store.put_instruments([BTC])
    said: list[object] = []
    for _ in range(25):
        spans = [span(start, start + random.randrange(1, 20)) for start in random.sample(range(200), 3)]
        match random.randrange(5):
            case 0:
                store.put_candles([candle((one.start - MONDAY) // MINUTE) for one in spans])
            case 1:
                record(store, *spans)
            case 2:
                said.append(store.mark_closed(BTC, spans, now=NOON))
            case 3:
                said.extend(gap.span for gap in store.claim_gaps("ann", now=NOON, lease_seconds=60, limit=1))
            case 4:
                drain(store)
                store.close_covered_gaps(now=NOON)
    drain(store)
    listed = {(gap.span, gap.state, gap.cause) for gap in store.gaps(limit=1_000)}
    known = store.coverage(BTC, M1, span(0, 240))
    return [*said, sorted(listed), known]
