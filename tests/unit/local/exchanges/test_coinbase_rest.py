from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
from marketdata.clock import FakeClock
from marketdata.model.span import Span
from marketdata.model.times import EPOCH, nanoseconds, rfc3339, utc
from marketdata.model.trade import Trade

from local.exchanges.faults import Faults
from tests.unit.local.exchanges.market import MINUTE, NOW, SYMBOLS, TAPE, seconds, simulator

HOUR_AGO = NOW.replace(second=0) - timedelta(hours=1)


class Exchange:
    """A client of the simulator, with the handles of its clock and of its faults."""

    def __init__(self, client: httpx.AsyncClient, clock: FakeClock, faults: Faults) -> None:
        self.client = client
        self.clock = clock
        self.faults = faults

    async def get(self, path: str, **query: object) -> httpx.Response:
        return await self.client.get(path, params={name: str(value) for name, value in query.items()})

    async def rows(self, path: str, **query: object) -> Any:
        """The body's JSON with its numbers as they were written."""
        response = await self.get(path, **query)
        assert response.status_code == 200, response.text
        return msgspec.json.decode(response.content, type=list[list[Decimal]])


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    clock, faults = FakeClock(NOW), Faults()
    async with simulator(clock, faults) as server, httpx.AsyncClient(base_url=server.url) as client:
        yield Exchange(client, clock, faults)


def folded(symbol: str, start: datetime, length: timedelta) -> list[Decimal] | None:
    """The row of one bucket, from its trades."""
    trades = TAPE.trades(symbol, Span(start, min(start + length, NOW)))
    if not trades:
        return None
    prices = [trade.price for trade in trades]
    opens = Decimal(nanoseconds(start) // 10**9)
    volume = Decimal(sum(trade.size for trade in trades))
    return [opens, min(prices), max(prices), prices[0], prices[-1], volume]


async def test_the_clock_is_told(exchange: Exchange) -> None:
    assert (await exchange.get("/time")).json() == {"iso": "2026-08-09T21:05:30.000000Z", "epoch": 1786309530.0}


async def test_products_are_listed_with_their_increments(exchange: Exchange) -> None:
    products = (await exchange.get("/products")).json()
    assert [product["id"] for product in products] == list(SYMBOLS)
    assert [product["quote_increment"] for product in products] == ["0.01", "0.01", "0.01", "0.00001", "0.00001"]
    assert {product["base_increment"] for product in products} == {"0.00000001"}
    assert {(product["status"], product["trading_disabled"]) for product in products} == {("online", False)}


@pytest.mark.parametrize("symbol", ["BTC-USD", "DOGE-USD", "ETH-BTC"])
async def test_candles_are_the_fold_of_the_trades_newest_first_with_no_row_for_an_empty_bucket(
    exchange: Exchange, symbol: str
) -> None:
    end = HOUR_AGO + 20 * MINUTE
    rows = await exchange.rows(f"/products/{symbol}/candles", granularity=60, start=rfc3339(HOUR_AGO), end=rfc3339(end))
    expected = [folded(symbol, HOUR_AGO + index * MINUTE, MINUTE) for index in range(21)]
    assert rows == [row for row in reversed(expected) if row is not None]


@pytest.mark.slow
async def test_coarse_candles_begin_before_start_and_end_with_the_one_still_growing(exchange: Exchange) -> None:
    hour = timedelta(hours=1)
    start, first = NOW - 5 * hour, NOW.replace(minute=0, second=0) - 5 * hour
    rows = await exchange.rows(
        "/products/ETH-USD/candles", granularity=3600, start=rfc3339(start), end=int((NOW - EPOCH).total_seconds())
    )
    assert rows == [folded("ETH-USD", first + index * hour, hour) for index in range(5, -1, -1)]


async def test_300_candles_a_request_and_no_more(exchange: Exchange) -> None:
    start = NOW.replace(second=0) - timedelta(hours=10)
    query = {"granularity": 60, "start": rfc3339(start)}
    rows = await exchange.rows("/products/BTC-USD/candles", **query, end=rfc3339(start + 300 * MINUTE))
    assert len(rows) == 301
    refused = await exchange.get("/products/BTC-USD/candles", **query, end=rfc3339(start + 301 * MINUTE))
    assert refused.status_code == 400
    assert "exceeds 300" in refused.json()["message"]


async def test_an_end_without_a_start_is_ignored_and_the_newest_300_are_given(exchange: Exchange) -> None:
    rows = await exchange.rows("/products/BTC-USD/candles", granularity=60, end="2026-01-01T00:00:00Z")
    assert len(rows) == 300
    assert rows[0] == folded("BTC-USD", NOW.replace(second=0), MINUTE)


async def test_the_future_has_no_candles(exchange: Exchange) -> None:
    query = {"start": rfc3339(NOW + 10 * MINUTE), "end": rfc3339(NOW + 20 * MINUTE), "granularity": 60}
    assert await exchange.rows("/products/BTC-USD/candles", **query) == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"granularity": 61}, "Unsupported granularity"),
        ({"granularity": "1m"}, "Invalid granularity"),
        ({"start": "yesterday", "end": "2026-08-09"}, "Invalid start"),
        ({"start": "2026-08-09", "end": "9" * 30}, "Invalid end"),
        ({"start": "2026-08-09T02:00:00Z", "end": "2026-08-09T01:00:00Z"}, "start must be before end"),
    ],
)
async def test_a_candle_request_that_makes_no_sense_is_refused(
    exchange: Exchange, query: dict[str, object], message: str
) -> None:
    response = await exchange.get("/products/BTC-USD/candles", **query)
    assert (response.status_code, response.json()) == (400, {"message": message})


async def test_advanced_trade_gives_the_same_candles_as_objects_of_text(exchange: Exchange) -> None:
    start = int((HOUR_AGO - EPOCH).total_seconds())
    path = "/api/v3/brokerage/market/products/ETH-BTC/candles"
    query = {"start": start, "end": start + 1200}
    candles = (await exchange.get(path, granularity="ONE_MINUTE", **query)).json()["candles"]
    fields = ("start", "low", "high", "open", "close", "volume")
    assert all(isinstance(candle[field], str) for candle in candles for field in fields)
    rows = await exchange.rows("/products/ETH-BTC/candles", granularity=60, **query)
    assert [[Decimal(candle[field]) for field in fields] for candle in candles] == rows


@pytest.mark.parametrize(
    "query",
    [
        {"granularity": "ONE_CENTURY", "start": 0, "end": 60},
        {"granularity": "ONE_MINUTE", "start": 0},
        {"granularity": "ONE_MINUTE", "start": 0, "end": 351 * 60},
    ],
)
async def test_advanced_trade_refuses_too_much_and_too_little(exchange: Exchange, query: dict[str, object]) -> None:
    response = await exchange.get("/api/v3/brokerage/market/products/BTC-USD/candles", **query)
    assert response.status_code == 400
    assert response.json()["message"]


async def test_the_newest_trades_come_first_with_the_makers_side_and_padded_numbers(exchange: Exchange) -> None:
    trades = (await exchange.get("/products/BTC-USD/trades")).json()
    newest_id = TAPE.newest_id("BTC-USD", NOW)
    assert [trade["trade_id"] for trade in trades] == list(range(newest_id, newest_id - 1000, -1))
    assert trades[:50] == [_on_the_wire(trade) for trade in _newest("BTC-USD", 50)]


async def test_older_pages_are_reached_by_after_and_newer_ones_by_before(exchange: Exchange) -> None:
    newest = _newest("DOGE-USD", 9)
    first = await exchange.get("/products/DOGE-USD/trades", limit=3)
    older = await exchange.get("/products/DOGE-USD/trades", limit=3, after=first.headers["CB-AFTER"])
    assert _ids(first) == [trade.id for trade in newest[:3]]
    assert _ids(older) == [trade.id for trade in newest[3:6]]
    newer = await exchange.get("/products/DOGE-USD/trades", before=older.headers["CB-BEFORE"])
    assert _ids(newer) == _ids(first)
    between = await exchange.get("/products/DOGE-USD/trades", before=newest[8].id, after=newest[5].id)
    assert _ids(between) == [newest[6].id, newest[7].id]


async def test_there_is_nothing_newer_than_the_newest_and_nothing_older_than_the_first(exchange: Exchange) -> None:
    newer = await exchange.get("/products/BTC-USD/trades", before=TAPE.newest_id("BTC-USD", NOW))
    assert (newer.json(), "CB-BEFORE" in newer.headers) == ([], False)
    assert _ids(await exchange.get("/products/BTC-USD/trades", after=4)) == [3, 2, 1]


async def test_a_trade_is_not_told_before_the_clock_has_passed_it(exchange: Exchange) -> None:
    before = await exchange.get("/products/BTC-USD/trades", limit=1)
    exchange.clock.advance(seconds(10))
    after = await exchange.get("/products/BTC-USD/trades", limit=1)
    assert _ids(before) < _ids(after) == [TAPE.newest_id("BTC-USD", NOW + seconds(10))]


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": "many"}, {"after": -1}, {"before": "9" * 5000}])
async def test_a_page_that_cannot_be_is_refused(exchange: Exchange, query: dict[str, object]) -> None:
    assert (await exchange.get("/products/BTC-USD/trades", **query)).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/products/GIBBERISH-USD/trades",
        "/products/GIBBERISH-USD/candles",
        "/api/v3/brokerage/market/products/GIBBERISH-USD/candles",
        "/orders",
    ],
)
async def test_what_is_not_there_is_not_found(exchange: Exchange, path: str) -> None:
    response = await exchange.get(path)
    assert (response.status_code, response.json()) == (404, {"message": "NotFound"})


async def test_more_than_ten_requests_a_second_are_throttled_after_a_burst_of_fifteen(exchange: Exchange) -> None:
    answers = [await exchange.get("/time") for _ in range(16)]
    assert [answer.status_code for answer in answers] == [200] * 15 + [429]
    exchange.clock.advance(seconds(0.1))
    assert [(await exchange.get("/time")).status_code for _ in range(2)] == [200, 429]


async def test_rest_is_refused_only_if_the_fault_says_so(exchange: Exchange) -> None:
    exchange.faults.refuse_connections()
    assert (await exchange.get("/time")).status_code == 200
    exchange.faults.refuse_connections(rest_too=True)
    assert (await exchange.get("/time")).status_code == 503
    exchange.faults.heal()
    assert (await exchange.get("/time")).status_code == 200


def _newest(symbol: str, count: int) -> list[Trade]:
    end = TAPE.newest_id(symbol, NOW) + 1
    return TAPE.trades_by_id(symbol, end - count, end)[::-1]


def _ids(response: httpx.Response) -> list[int]:
    return [trade["trade_id"] for trade in response.json()]


def _on_the_wire(trade: Trade) -> dict[str, object]:
    return {
        "trade_id": trade.id,
        "side": {"buy": "sell", "sell": "buy"}[trade.side],
        "price": str(trade.price.quantize(Decimal("0.01"))),
        "size": f"{trade.size:.8f}",
        "time": utc(trade.time_ns).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
