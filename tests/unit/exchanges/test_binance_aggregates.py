"""Aggregates by trade id: an exchange that numbers aggregates its own way is searched, in few requests."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from marketdata.errors import RemoteMalformed
from marketdata.exchanges.binance_aggregates import BinanceAggregateSearch
from marketdata.exchanges.exchange import Request, TradePage

from tests.captures import FOLDER, needs_captures

NOON_MS = 1_786_276_800_000


class Book:
    """What a symbol's `aggTrades` answer: aggregates of one to nine trades, and bursts of more."""

    def __init__(self, count: int, seed: int = 1) -> None:
        source = random.Random(seed)
        self.rows: list[dict[str, Any]] = []
        first = 0
        for number in range(count):
            burst = 400 if number % 5_000 < 20 else 1
            last = first + source.choice((0, 0, 0, 1, 2, 8)) * burst
            self.rows.append(
                {
                    "a": number,
                    "f": first,
                    "l": last,
                    "p": "10",
                    "q": str(last - first + 1),
                    "T": NOON_MS + number,
                    "m": False,
                    "M": True,
                }
            )
            first = last + 1
        self.asked: list[dict[str, str]] = []

    def answer(self, request: Request) -> bytes:
        query = dict(request.query)
        self.asked.append(query)
        limit = int(query["limit"])
        if request.path == "/api/v3/trades":
            return self.singles(limit)
        assert request.path == "/api/v3/aggTrades"
        if "fromId" not in query:
            return json.dumps(self.rows[-limit:]).encode()
        first = int(query["fromId"])
        assert first >= 0
        return json.dumps(self.rows[first : first + limit]).encode()

    def singles(self, limit: int) -> bytes:
        newest = self.rows[-1]["l"]
        rows = [
            {"id": one, "price": "10", "qty": "1", "time": NOON_MS, "isBuyerMaker": False}
            for one in range(newest - limit + 1, newest + 1)
        ]
        return json.dumps(rows).encode()


def page(search: BinanceAggregateSearch, answer: Callable[[Request], bytes], before: int | None) -> TradePage:
    steps = search.find_trades("BTCUSDT", before, 1_000)
    try:
        request = next(steps)
        while True:
            request = steps.send(answer(request))
    except StopIteration as end:
        found: TradePage = end.value
        return found


def always(body: bytes) -> Callable[[Request], bytes]:
    """The same answer to everything."""
    return lambda request: body


def test_the_newest_aggregates_of_all_take_one_request() -> None:
    book = Book(20_000)
    found = page(BinanceAggregateSearch(), book.answer, None)
    assert [trade.id for trade in found.trades] == [row["f"] for row in book.rows[-1_000:]]
    assert found.next_before == book.rows[-1_000]["f"]
    assert book.asked == [{"symbol": "BTCUSDT", "limit": "1000"}]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))])
def test_any_trade_is_found_and_a_page_ends_with_its_aggregate(seed: int) -> None:
    book, source = Book(60_000, seed), random.Random(seed)
    newest = book.rows[-1]["l"]
    for before in [1, 2, newest, *(source.randrange(1, newest) for _ in range(20))]:
        book.asked.clear()
        found = page(BinanceAggregateSearch(), book.answer, before)
        last = found.trades[-1]
        assert last.id < before <= last.last_id + 1
        assert all(one.last_id + 1 == other.id for one, other in zip(found.trades, found.trades[1:], strict=False))
        assert len(book.asked) <= 12


def test_the_pages_before_take_one_request_each_down_to_the_first_trade() -> None:
    book, search = Book(5_500), BinanceAggregateSearch()
    before: int | None = book.rows[4_321]["f"]
    seen = list(page(search, book.answer, before).trades)
    requests, before = [], seen[0].id
    while before is not None:
        book.asked.clear()
        older = page(search, book.answer, before)
        requests.append(len(book.asked))
        seen = [*older.trades, *seen]
        before = older.next_before
    assert [trade.id for trade in seen] == [row["f"] for row in book.rows[:4_321]]
    assert requests == [1] * len(requests)
    assert sum(trade.count for trade in seen) == book.rows[4_320]["l"] + 1


def test_trades_that_are_not_there_yet_are_the_newest_of_all() -> None:
    """REST may lag behind the stream: what it has is the answer, and it is asked afresh the next time."""
    book, search = Book(3_000), BinanceAggregateSearch()
    newest = book.rows[-1]["l"]
    assert page(search, book.answer, newest + 500).trades[-1].last_id == newest
    later = Book(3_100)
    assert page(search, later.answer, newest + 500).trades[-1].last_id > newest


def test_before_the_first_trade_there_is_nothing_to_ask() -> None:
    book = Book(10)
    assert page(BinanceAggregateSearch(), book.answer, 0) == TradePage((), None)
    assert book.asked == []


def test_aggregates_that_were_taken_back_are_passed_over() -> None:
    book = Book(2_000)
    book.rows[1_500] |= {"f": -1, "l": -1, "p": "0", "q": "0"}
    found = page(BinanceAggregateSearch(), book.answer, None)
    assert len(found.trades) == 999


def test_what_is_recent_can_be_had_one_by_one() -> None:
    """A trade channel that lost a part of an aggregate needs single trades, and the keyless host has the newest."""
    book, search = Book(5_000), BinanceAggregateSearch(recent_singly=True)
    newest = book.rows[-1]["l"]
    found = page(search, book.answer, newest - 10)
    assert [trade.count for trade in found.trades] == [1] * (1_000 - 11)
    assert found.trades[-1].id == newest - 11
    book.asked.clear()
    older = page(search, book.answer, found.trades[0].id)
    assert {trade.count for trade in older.trades} > {1}
    # An aggregate that reaches into what was had one by one is cut: its size is what the others leave of it.
    assert older.trades[-1].last_id == found.trades[0].id - 1
    assert sum(trade.size for trade in older.trades) == sum(trade.count for trade in older.trades)
    book.asked.clear()
    page(search, book.answer, older.trades[0].id)
    assert ["fromId" in query for query in book.asked] == [True]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b'{"code":-1121,"msg":"Invalid symbol."}',
        b'[{"a":1,"f":5,"l":4,"p":"1","q":"1","T":1,"m":true}]',
        b'[{"a":1,"f":4,"l":4,"p":"NaN","q":"1","T":1,"m":true}]',
        b'[{"a":1,"f":4,"l":4,"p":"1","q":"1","T":0,"m":true}]',
    ],
)
def test_an_answer_that_cannot_be_is_malformed(answer: bytes) -> None:
    with pytest.raises(RemoteMalformed):
        page(BinanceAggregateSearch(), always(answer), None)


def test_an_exchange_that_contradicts_itself_is_given_up() -> None:
    requests = []

    def liar(request: Request) -> bytes:
        requests.append(request)
        first = int(dict(request.query).get("fromId", 10**9))
        # Whatever is asked for begins later than the trade that is wanted.
        return json.dumps([{"a": first, "f": 10**6, "l": 10**6, "p": "1", "q": "1", "T": 1, "m": True}]).encode()

    with pytest.raises(RemoteMalformed):
        page(BinanceAggregateSearch(), liar, 500)
    assert len(requests) <= 100


@needs_captures
def test_a_real_page_is_read_whole() -> None:
    for answer in json.loads((FOLDER / "binance/rest_gct.json").read_text()):
        if answer["path"] == "/api/v3/aggTrades":
            body = json.dumps(answer["body"]).encode()
            found = page(BinanceAggregateSearch(), always(body), None)
            assert len(found.trades) == 1_000
            assert found.trades[0].id == 222_825_297
            total = found.trades[-1].last_id - found.trades[0].id + 1
            assert sum(trade.count for trade in found.trades) == total
