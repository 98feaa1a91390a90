"""Questions for candles: every row once, in order, and the truth about what is not there."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.clock import FakeClock
from marketdata.errors import NotFound, RequestInvalid
from marketdata.jobs.answer_candles import CandleAnswers, CandleRequest
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.model.candle import Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.serve.cursor import Cursors
from marketdata.serve.params import CandleQuery
from marketdata.store.memory import MemoryStore
from marketdata.store.store import Store

from tests.market import BTC, MINUTE, a_store, at, candle, minutes

CURSORS = Cursors("a secret")
NOON = at("12:00")
PAGES_MAX = 20


def ask(store: Store, query: CandleQuery, now: datetime = NOON) -> dict[str, Any]:
    return read(store, CandleRequest(query), now)


def ask_latest(store: Store, query: CandleQuery) -> dict[str, Any]:
    return read(store, CandleRequest(replace(query, newest_first=True), latest=True), NOON)


def read(store: Store, request: CandleRequest, now: datetime) -> dict[str, Any]:
    clock = FakeClock(now)
    answers = CandleAnswers(store, KnownInstruments(store, clock), CURSORS, clock)
    answer: dict[str, Any] = json.loads(answers.answer(request, None).body)
    return answer


def pages(store: Store, query: CandleQuery) -> Iterator[dict[str, Any]]:
    cursor: str | None = ""
    for _ in range(PAGES_MAX):
        page = ask(store, replace(query, cursor=cursor or None))
        yield page
        cursor = page["next_cursor"]
        if cursor is None:
            return
    pytest.fail("there is no end of pages")


def times(answer: dict[str, Any]) -> list[str]:
    return [record["open_time"][11:16] for record in answer["data"]]


def of_ten_minutes(**changes: Any) -> CandleQuery:
    return replace(CandleQuery("BTC-USD", start=at("10:00"), end=at("10:10")), **changes)


@pytest.fixture
def store() -> MemoryStore:
    """Ten minutes from 10:00, without 10:03 and 10:04."""
    store = a_store()
    store.put_candles(minutes("10:00", "10:03") + minutes("10:05", "10:10"))
    return store


def test_the_end_is_excluded(store: Store) -> None:
    assert times(ask(store, of_ten_minutes(end=at("10:02")))) == ["10:00", "10:01"]


def test_all_there_is_has_no_next_page(store: Store) -> None:
    assert ask(store, of_ten_minutes(limit=8))["next_cursor"] is None


@given(limit=st.integers(1, 9), newest_first=st.booleans(), start=st.none() | st.just(at("10:01")))
def test_pages_together_are_the_answer_whatever_their_size(
    limit: int, newest_first: bool, start: datetime | None
) -> None:
    store = a_store()
    store.put_candles(minutes("10:00", "10:03") + minutes("10:05", "10:10"))
    query = of_ten_minutes(start=start, newest_first=newest_first)
    whole = ask(store, query)
    in_pages = list(pages(store, replace(query, limit=limit)))
    assert [record for page in in_pages for record in page["data"]] == whole["data"]
    assert all(len(page["data"]) == limit for page in in_pages[:-1])


@given(limit=st.integers(1, 9), newest_first=st.booleans())
def test_the_pages_name_every_gap(limit: int, newest_first: bool) -> None:
    store = a_store()
    store.put_candles(minutes("10:00", "10:03") + minutes("10:05", "10:10"))
    in_pages = pages(store, of_ten_minutes(limit=limit, newest_first=newest_first))
    named = [gap for page in in_pages for gap in page["meta"]["gaps"]]
    assert sum(gap["buckets"] for gap in named) == 2
    assert {gap["start"] for gap in named} <= {"2026-08-09T10:03:00Z", "2026-08-09T10:04:00Z"}


def test_a_row_that_arrives_between_two_pages_moves_nothing(store: MemoryStore) -> None:
    query = of_ten_minutes(limit=4)
    first = ask(store, query)
    store.put_candles([candle(at("09:59")), *minutes("10:03", "10:05")])
    second = ask(store, replace(query, cursor=first["next_cursor"]))
    assert times(first) + times(second) == ["10:00", "10:01", "10:02", "10:05", "10:06", "10:07", "10:08", "10:09"]


def test_a_cursor_goes_with_its_question_but_any_page_size(store: Store) -> None:
    cursor = ask(store, of_ten_minutes(limit=4))["next_cursor"]
    assert times(ask(store, of_ten_minutes(limit=1, cursor=cursor))) == ["10:06"]
    with pytest.raises(RequestInvalid, match="cursor"):
        ask(store, of_ten_minutes(end=at("10:09"), cursor=cursor))


def test_newest_first_is_the_same_rows_the_other_way_round(store: Store) -> None:
    ascending = ask(store, of_ten_minutes())["data"]
    assert ask(store, of_ten_minutes(newest_first=True))["data"] == ascending[::-1]


def test_a_minute_without_a_row_is_missing(store: Store) -> None:
    meta = ask(store, of_ten_minutes())["meta"]
    assert (meta["condition"], meta["coverage"]) == ("missing", 0.8)
    hole = {"start": "2026-08-09T10:03:00Z", "end": "2026-08-09T10:05:00Z", "buckets": 2}
    assert meta["gaps"] == [{**hole, "state": "missing", "reason": ""}]
    assert meta["span"] == {"start": "2026-08-09T10:00:00Z", "end": "2026-08-09T10:10:00Z"}


def test_a_minute_that_the_exchange_says_was_empty_is_not_missing(store: MemoryStore) -> None:
    store.mark_empty(BTC, M1, [Span(at("10:03"), at("10:05"))])
    meta = ask(store, of_ten_minutes())["meta"]
    assert (meta["condition"], meta["coverage"], meta["gaps"]) == ("available", 1, [])


def test_a_minute_held_in_part_degrades_until_it_is_repaired(store: MemoryStore) -> None:
    store.put_candles(minutes("10:03", "10:05", source=Source.PARTIAL))
    assert ask(store, of_ten_minutes())["meta"]["condition"] == "degraded"
    store.put_candles(minutes("10:03", "10:05", source=Source.VENUE))
    assert ask(store, of_ten_minutes())["meta"]["condition"] == "available"


def test_the_open_candle_is_served_and_not_judged(store: MemoryStore) -> None:
    store.put_candles([candle(at("10:10"), source=Source.PARTIAL)])
    answer = ask(store, CandleQuery("BTC-USD", start=at("10:05")), now=at("10:10:30"))
    assert answer["data"][-1]["complete"] is False
    assert (answer["meta"]["condition"], answer["meta"]["coverage"]) == ("available", 1)


def test_coarser_candles_are_judged_in_their_own_buckets(store: MemoryStore) -> None:
    store.mark_empty(BTC, M1, [Span(at("10:03"), at("10:05"))])
    while store.roll_up():
        pass
    m5 = timeframe_named("5m")
    meta = ask(store, of_ten_minutes(timeframe=m5, end=at("10:20")))["meta"]
    assert (meta["condition"], meta["coverage"]) == ("missing", 0.5)
    hole = {"start": "2026-08-09T10:10:00Z", "end": "2026-08-09T10:20:00Z", "buckets": 2}
    assert meta["gaps"] == [{**hole, "state": "missing", "reason": ""}]


def test_an_instrument_of_which_nothing_is_held_is_missing() -> None:
    meta = ask(a_store(), CandleQuery("BTC-USD"))["meta"]
    assert (meta["condition"], meta["coverage"], meta["span"]) == ("missing", None, None)


def test_a_span_of_which_nothing_is_held_is_one_gap() -> None:
    meta = ask(a_store(), of_ten_minutes())["meta"]
    assert (meta["condition"], meta["coverage"], meta["gaps"][0]["buckets"]) == ("missing", 0, 10)


def test_a_question_about_the_future_misses_nothing(store: Store) -> None:
    meta = ask(store, CandleQuery("BTC-USD", start=NOON + timedelta(days=1)))["meta"]
    assert (meta["condition"], meta["coverage"]) == ("available", None)


@pytest.mark.slow
def test_an_answer_is_cut_where_lambda_would_cut_it_and_says_so() -> None:
    store = a_store()
    start = at("00:00") - timedelta(days=10)
    store.put_candles([candle(start + place * MINUTE) for place in range(12_000)])
    query = CandleQuery("BTC-USD", start=start, end=start + timedelta(minutes=12_000), limit=10_000)
    seen = [record["open_time"] for page in pages(store, query) for record in page["data"]]
    assert len(seen) == len(set(seen)) == 12_000


def test_the_latest_are_the_newest_oldest_first(store: Store) -> None:
    answer = ask_latest(store, CandleQuery("BTC-USD", limit=3))
    assert (times(answer), answer["next_cursor"]) == (["10:07", "10:08", "10:09"], None)


def test_the_latest_are_judged_up_to_now(store: Store) -> None:
    meta = ask_latest(store, CandleQuery("BTC-USD", limit=7))["meta"]
    assert [gap["start"][11:16] for gap in meta["gaps"]] == ["10:03", "10:10"]


def test_the_latest_of_nothing_is_nothing_and_says_that_it_is_missing() -> None:
    answer = ask_latest(a_store(), CandleQuery("BTC-USD"))
    assert (answer["data"], answer["meta"]["condition"]) == ([], "missing")


def test_what_is_simulated_says_so() -> None:
    store = a_store()
    answer = ask(store, CandleQuery("ETH-USD"))
    assert answer["meta"]["simulated"] is True


def test_a_timeframe_that_is_not_kept_is_refused_with_those_that_are() -> None:
    store = MemoryStore()
    store.put_instruments([Instrument("coinbase", "BTC-USD", "BTC", "USD", timeframes=(M1,))])
    with pytest.raises(RequestInvalid) as refused:
        ask(store, CandleQuery("BTC-USD", timeframe=timeframe_named("1h")))
    assert (refused.value.field, refused.value.choices) == ("timeframe", ("1m",))


def test_an_instrument_that_was_just_added_is_found_before_the_memory_of_them_is_old() -> None:
    store, clock = a_store(), FakeClock(NOON)
    known = KnownInstruments(store, clock)
    known.all()
    store.put_instruments([Instrument("coinbase", "SOL-USD", "SOL", "USD")])
    with pytest.raises(NotFound):
        known.find("SOL-USD", None)
    clock.advance(timedelta(seconds=1))
    assert known.find("SOL-USD", None).symbol == "SOL-USD"
