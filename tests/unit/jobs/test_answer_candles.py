"""Answers of candles: equal bytes while nothing changed, no row for a copy that is good, grids and means on request."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.clock import FakeClock
from marketdata.compute.indicators import moving_averages
from marketdata.errors import RequestInvalid, TooLarge
from marketdata.jobs.answer_candles import CandleAnswers, CandleRequest
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, TIMEFRAMES, Timeframe
from marketdata.serve.candle_answer import Fill, View
from marketdata.serve.cursor import Cursors
from marketdata.serve.formats import COLUMNS, PLAIN, RECORDS
from marketdata.serve.negotiation import Coding
from marketdata.serve.params import CandleQuery
from marketdata.serve.representation import CARRIED_BYTES_MAX, Representation, carried_bytes
from marketdata.serve.validator import etag
from marketdata.store.answers import CandlePage
from marketdata.store.memory import MemoryStore

from tests.market import BTC, ETH, MINUTE, a_store, at, candle, minutes

NOON = at("12:00")
PAGES_MAX = 40
PRICES = ["100", "101.5", "99", "100.25", "98", "103", "102", "101", "100", "107"]


class CountingStore(MemoryStore):
    """A store that counts the rows it hands out, and the questions about them."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = 0
        self.questions = 0

    def read_candles(
        self,
        instrument: Instrument,
        timeframe: Timeframe,
        *,
        start: datetime | None,
        end: datetime | None,
        limit: int,
        settled: datetime,
        newest_first: bool = False,
    ) -> CandlePage:
        page = super().read_candles(
            instrument, timeframe, start=start, end=end, limit=limit, settled=settled, newest_first=newest_first
        )
        self.questions += 1
        self.rows += len(page.candles)
        return page


def a_held_store() -> CountingStore:
    """Ten minutes from 10:00 at prices that move, without 10:03 and 10:04; nobody traded in 10:04."""
    store = CountingStore()
    store.put_instruments([BTC, ETH])
    held = [candle(at("10:00") + place * MINUTE, price=price) for place, price in enumerate(PRICES)]
    store.put_candles([one for place, one in enumerate(held) if place not in (3, 4)])
    store.mark_empty(BTC, M1, [Span(at("10:04"), at("10:05"))])
    while store.roll_up():
        pass
    return store


@pytest.fixture
def store() -> CountingStore:
    return a_held_store()


def answers(store: MemoryStore, now: datetime = NOON) -> CandleAnswers:
    clock = FakeClock(now)
    return CandleAnswers(store, KnownInstruments(store, clock), Cursors("a secret"), clock)


def of_ten_minutes(**changes: Any) -> CandleQuery:
    return replace(CandleQuery("BTC-USD", start=at("10:00"), end=at("10:10")), **changes)


def ask(store: MemoryStore, query: CandleQuery, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(answers(store).answer(replace(CandleRequest(query), **changes), None).body)
    return body


def rows(answer: dict[str, Any], *fields: str) -> list[tuple[Any, ...]]:
    return [(record["open_time"][11:16], *(record[field] for field in fields)) for record in answer["data"]]


def pages(store: MemoryStore, query: CandleQuery) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    for _ in range(PAGES_MAX):
        page = ask(store, replace(query, cursor=cursor))
        yield page
        cursor = page["next_cursor"]
        if cursor is None:
            return
    pytest.fail("there is no end of pages")


# Validators


def tagged(store: MemoryStore, now: datetime = NOON, **changes: Any) -> Representation:
    return answers(store, now).answer(CandleRequest(of_ten_minutes(**changes)), None)


def asked_again(store: MemoryStore, held: Representation, now: datetime = NOON, **changes: Any) -> Representation:
    tag = etag(held.word, held.lifetime)
    return answers(store, now).answer(CandleRequest(of_ten_minutes(**changes)), tag)


def test_a_copy_that_is_good_costs_no_row(store: CountingStore) -> None:
    held = tagged(store)
    store.rows = store.questions = 0
    again = asked_again(store, held)
    assert (again.status, again.body, again.word, again.lifetime) == (304, b"", held.word, held.lifetime)
    assert (store.rows, store.questions) == (0, 0)


def test_equal_validators_are_of_equal_bytes_though_time_goes_on(store: CountingStore) -> None:
    first, later = tagged(store), tagged(store, NOON + timedelta(seconds=59))
    assert (first.word, first.body) == (later.word, later.body)


def test_an_answer_as_of_another_minute_has_another_validator(store: CountingStore) -> None:
    first, later = tagged(store), tagged(store, NOON + MINUTE)
    assert first.body != later.body, "it says as of when it is"
    assert first.word != later.word


def test_a_repair_changes_the_validator(store: CountingStore) -> None:
    held = tagged(store)
    store.put_candles([candle(at("10:03"))])
    assert asked_again(store, held).status == 200


@pytest.mark.parametrize(
    "write",
    [
        minutes("10:00", "10:05", ETH),
        minutes("09:00", "09:30"),
        minutes("10:10", "10:20"),
        [candle(at("10:05"), price="103", source=Source.LIVE)],
    ],
    ids=["another market", "earlier", "later", "a report of lower rank"],
)
def test_a_write_elsewhere_does_not(store: CountingStore, write: list[Candle]) -> None:
    held = tagged(store)
    store.put_candles(write)
    while store.roll_up():
        pass
    assert asked_again(store, held).status == 304


def test_each_way_to_show_an_answer_has_a_validator_of_its_own(store: CountingStore) -> None:
    asked = [
        CandleRequest(of_ten_minutes()),
        CandleRequest(of_ten_minutes(limit=5)),
        CandleRequest(of_ten_minutes(newest_first=True)),
        CandleRequest(of_ten_minutes(view=View(fill=Fill.NULL))),
        CandleRequest(of_ten_minutes(view=View(averages=(3,)))),
        CandleRequest(of_ten_minutes(), COLUMNS),
        CandleRequest(of_ten_minutes(), RECORDS, Coding.GZIP),
    ]
    assert len({answers(store).answer(one, None).word for one in asked}) == len(asked)


def test_the_word_told_without_rows_is_that_of_the_answer(store: CountingStore) -> None:
    for view in (View(), View(fill=Fill.PREVIOUS), View(averages=(3,)), View(fill=Fill.NULL, averages=(3, 5))):
        for newest_first in (False, True):
            request = CandleRequest(of_ten_minutes(view=view, newest_first=newest_first, limit=4))
            assert answers(store).fingerprint(request) == answers(store).represent(request).word


def test_time_that_is_past_and_whole_may_be_kept_for_a_day() -> None:
    store = a_store()
    store.put_candles(minutes("10:00", "10:10"))
    tomorrow = NOON + timedelta(days=1)
    assert tagged(store).lifetime == 0
    assert tagged(store, tomorrow).lifetime == 86_400
    assert asked_again(store, tagged(store, tomorrow), tomorrow).lifetime == 86_400, "and a 304 says so too"
    assert tagged(a_held_store(), tomorrow).lifetime == 0, "with a hole in it"


def test_the_past_is_the_same_all_day(store: CountingStore) -> None:
    tomorrow, evening = NOON + timedelta(days=1), NOON + timedelta(days=1, hours=11)
    assert tagged(store, tomorrow).body == tagged(store, evening).body


# Grids


def test_a_grid_has_every_bucket_and_says_which_are_filled(store: CountingStore) -> None:
    answer = ask(store, of_ten_minutes(view=View(fill=Fill.NULL)))
    assert rows(answer, "close", "filled")[2:6] == [
        ("10:02", "99", False),
        ("10:03", None, True),
        ("10:04", None, True),
        ("10:05", "103", False),
    ]
    assert answer["meta"]["gaps_total"] == 1, "what is missing is told as ever"


def test_a_filled_bucket_stands_at_the_close_before_it(store: CountingStore) -> None:
    answer = ask(store, of_ten_minutes(start=at("10:03"), end=at("10:06"), view=View(fill=Fill.PREVIOUS)))
    assert rows(answer, "open", "close", "volume") == [
        ("10:03", "99", "99", "0"),
        ("10:04", "99", "99", "0"),
        ("10:05", "103", "103", "0.1"),
    ]


def test_nothing_is_filled_that_has_not_settled(store: CountingStore) -> None:
    clock = at("10:12:30")
    body = answers(store, clock).answer(CandleRequest(of_ten_minutes(end=None, view=View(fill=Fill.NULL))), None).body
    assert json.loads(body)["data"][-1]["open_time"] == "2026-08-09T10:09:00Z"


@pytest.mark.parametrize("timeframe", TIMEFRAMES, ids=str)
def test_the_last_day_of_all_calendars_is_a_question_too(store: CountingStore, timeframe: Timeframe) -> None:
    last = datetime(9999, 12, 31, tzinfo=UTC)
    for fill in Fill:
        query = of_ten_minutes(timeframe=timeframe, start=last, end=last + timedelta(hours=23), view=View(fill=fill))
        assert ask(store, query)["data"] == []
    query = of_ten_minutes(timeframe=timeframe, start=at("09:00"), end=last, view=View(fill=Fill.NULL), limit=3)
    assert len(ask(store, query)["data"]) <= 3


def test_nothing_that_is_filled_is_stored(store: CountingStore) -> None:
    ask(store, of_ten_minutes(view=View(fill=Fill.PREVIOUS)))
    assert len(store.candles(BTC, M1, start=None, end=None, limit=100)) == 8


@given(
    limit=st.integers(1, 12),
    newest_first=st.booleans(),
    fill=st.sampled_from(list(Fill)),
    start=st.none() | st.just(at("10:01")),
)
def test_pages_together_are_the_answer(limit: int, newest_first: bool, fill: Fill, start: datetime | None) -> None:
    store = a_held_store()
    query = of_ten_minutes(start=start, newest_first=newest_first, view=View(fill=fill, averages=(3,)))
    whole = ask(store, query)
    in_pages = list(pages(store, replace(query, limit=limit)))
    assert [record for page in in_pages for record in page["data"]] == whole["data"]
    assert all(len(page["data"]) == limit for page in in_pages[:-1])


def test_the_latest_of_a_grid_are_the_newest_buckets(store: CountingStore) -> None:
    query = CandleQuery("BTC-USD", limit=4, newest_first=True, view=View(fill=Fill.PREVIOUS))
    clock = at("10:11:20")
    body = answers(store, clock).answer(CandleRequest(query, latest=True), None).body
    assert [record["open_time"][11:16] for record in json.loads(body)["data"]] == ["10:08", "10:09"]


# Means


@given(limit=st.integers(1, 12), newest_first=st.booleans(), length=st.integers(2, 6))
def test_a_mean_is_the_same_on_whichever_page_it_is(limit: int, newest_first: bool, length: int) -> None:
    store = a_held_store()
    held = store.candles(BTC, M1, start=None, end=None, limit=100)
    empty = (Span(at("10:04"), at("10:05")),)
    means = dict(zip((one.open_time for one in held), moving_averages(held, length, empty), strict=True))
    query = of_ten_minutes(newest_first=newest_first, limit=limit, view=View(averages=(length,)))
    told = {record["open_time"]: record[f"sma{length}"] for page in pages(store, query) for record in page["data"]}
    assert {time: value and Decimal(value) for time, value in told.items()} == {
        f"{time:%Y-%m-%dT%H:%M:%SZ}": mean for time, mean in means.items()
    }


def test_a_mean_begins_before_the_first_candle_that_is_shown(store: CountingStore) -> None:
    answer = ask(store, of_ten_minutes(start=at("10:09"), view=View(averages=(2, 5, 6))))
    assert rows(answer, "sma2", "sma5", "sma6") == [("10:09", "103.5", "102.6", None)]


# Sizes


def many(count: int) -> MemoryStore:
    store = a_store()
    start = at("00:00") - timedelta(days=10)
    # As many digits as the largest markets' figures have.
    long = candle(at("00:00"), price="12345678.12345678")
    store.put_candles([replace(long, open_time=start + place * MINUTE) for place in range(count)])
    return store


def of_many(**changes: Any) -> CandleQuery:
    start = at("00:00") - timedelta(days=10)
    end, view = start + timedelta(minutes=12_000), View(averages=(2, 3, 4, 5, 6))
    return replace(CandleQuery("BTC-USD", start=start, end=end, limit=10_000, view=view), **changes)


@pytest.mark.slow
def test_an_answer_that_is_too_large_as_it_is_goes_whole_when_packed() -> None:
    store = many(10_000)
    plain = answers(store).answer(CandleRequest(of_many()), None)
    packed = answers(store).answer(CandleRequest(of_many(), coding=Coding.ZSTD), None)
    assert carried_bytes(plain.body) <= CARRIED_BYTES_MAX
    assert len(json.loads(plain.body)["data"]) < 10_000
    assert plain.next_cursor is not None
    assert carried_bytes(packed.body) < CARRIED_BYTES_MAX / 10


@pytest.mark.slow
def test_the_shorter_page_goes_as_far_as_it_can() -> None:
    plain = answers(many(10_000)).answer(CandleRequest(of_many()), None)
    assert carried_bytes(plain.body) > 0.8 * CARRIED_BYTES_MAX


@pytest.mark.slow
def test_whoever_knows_of_no_next_page_gets_all_of_it_or_the_ways_round() -> None:
    store = many(10_500)
    whole = CandleRequest(of_many(), PLAIN, Coding.GZIP, whole=True)
    with pytest.raises(TooLarge) as refused:
        answers(store).answer(whole, None)
    assert refused.value.field == "limit"
    assert "POST /v1/exports" in str(refused.value)
    less = replace(whole, query=replace(whole.query, end=at("00:00") - timedelta(days=9)))
    assert answers(store).answer(less, None).next_cursor is None


def test_a_small_answer_is_not_packed(store: CountingStore) -> None:
    tiny = answers(store).answer(CandleRequest(of_ten_minutes(limit=1), PLAIN, Coding.GZIP), None)
    assert (tiny.coding, type(tiny.body)) == (Coding.IDENTITY, str)


def test_the_page_of_a_cursor_of_another_question_is_refused(store: CountingStore) -> None:
    cursor = ask(store, of_ten_minutes(limit=2))["next_cursor"]
    with pytest.raises(RequestInvalid, match="cursor"):
        ask(store, of_ten_minutes(cursor=cursor, view=View(fill=Fill.NULL)))
