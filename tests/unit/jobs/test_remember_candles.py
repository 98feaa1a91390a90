"""Answers of candles out of the cache: the same bytes, without the store, until the market changes or time passes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from marketdata.clock import FakeClock
from marketdata.jobs.answer_candles import CandleAnswers, CandleRequest
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.remember_answers import RememberedAnswers
from marketdata.jobs.remember_candles import RememberedCandles
from marketdata.serve.cursor import Cursors
from marketdata.serve.formats import FORMATS
from marketdata.serve.negotiation import Coding
from marketdata.serve.params import candle_query
from marketdata.serve.validator import etag
from marketdata.store.answer_cache import MemoryCache
from marketdata.store.answers import CandlePage
from marketdata.store.memory import MemoryStore

from tests.market import BTC, ETH, at, minutes


class CountingStore(MemoryStore):
    """Counts the questions for rows."""

    questions = 0

    def read_candles(self, *arguments: Any, **named: Any) -> CandlePage:
        """See Store."""
        self.questions += 1
        return super().read_candles(*arguments, **named)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("12:00"))


@pytest.fixture
def store() -> CountingStore:
    store = CountingStore()
    store.put_instruments([BTC, ETH])
    store.put_candles(minutes("10:00", "11:00"))
    return store


@pytest.fixture
def cache(clock: FakeClock) -> MemoryCache:
    return MemoryCache(lambda: clock.now().timestamp())


@pytest.fixture
def answers(store: CountingStore, clock: FakeClock, cache: MemoryCache) -> RememberedCandles:
    instruments = KnownInstruments(store, clock)
    plain = CandleAnswers(store, instruments, Cursors("secret"), clock)
    return RememberedCandles(plain, instruments, RememberedAnswers(cache, 2.0))


def request(symbol: str = "BTC-USD", **changes: Any) -> CandleRequest:
    query = candle_query({"symbol": symbol, "limit": str(changes.pop("limit", 100))})
    return CandleRequest(query, **changes)


ASKED: list[Callable[[], CandleRequest]] = [
    request,
    *(lambda one=one: request(format=one) for one in FORMATS.values()),
    *(lambda one=one: request(coding=one) for one in Coding),
    lambda: request(latest=True),
    lambda: request(limit=7),
]


@pytest.mark.parametrize("ask", ASKED)
def test_what_is_remembered_is_the_same_to_the_last_byte_and_asks_for_no_row(
    answers: RememberedCandles, store: CountingStore, ask: Callable[[], CandleRequest]
) -> None:
    first = answers.answer(ask(), None)
    asked = store.questions
    assert answers.answer(ask(), None) == first
    assert store.questions == asked


def test_each_question_has_an_answer_of_its_own(answers: RememberedCandles) -> None:
    bodies = [answers.answer(ask(), None) for ask in ASKED]
    again = [answers.answer(ask(), None) for ask in ASKED]
    assert again == bodies
    assert len({(one.content_type, one.coding, bytes(str(one.body), "utf-8")) for one in bodies}) >= len(FORMATS) + 3


def test_any_spelling_of_a_symbol_finds_the_same_answer(answers: RememberedCandles, store: CountingStore) -> None:
    answers.answer(request("BTC-USD"), None)
    answers.answer(request("btc/usd"), None)
    assert store.questions == 1


def test_a_market_that_changed_is_asked_for_again_and_no_other(
    answers: RememberedCandles, store: CountingStore, cache: MemoryCache
) -> None:
    answers.answer(request(), None)
    cache.forget([ETH.key])
    answers.answer(request(), None)
    assert store.questions == 1
    store.put_candles(minutes("11:00", "11:01"))
    cache.forget([BTC.key])
    assert len(answers.answer(request(), None).body) > 0
    assert store.questions == 2


def test_after_two_seconds_it_is_asked_for_again(
    answers: RememberedCandles, store: CountingStore, clock: FakeClock
) -> None:
    answers.answer(request(), None)
    clock.advance(timedelta(seconds=2))
    answers.answer(request(), None)
    assert store.questions == 2


def test_whoever_brings_a_validator_hears_that_it_is_good_from_the_store(
    answers: RememberedCandles, store: CountingStore
) -> None:
    first = answers.answer(request(), None)
    again = answers.answer(request(), etag(first.word, first.lifetime))
    assert (again.status, store.questions) == (304, 1)
    store.put_candles(minutes("11:00", "11:01"))
    assert answers.answer(request(), etag(first.word, first.lifetime)).status == 200
