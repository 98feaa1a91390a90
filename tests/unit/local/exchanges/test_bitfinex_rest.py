"""The simulated Bitfinex answers over HTTP as the real one would."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import aiohttp
from marketdata.clock import FakeClock

from local.exchanges.bitfinex import bitfinex_simulator
from local.exchanges.bitfinex_wire import milliseconds, trade_id
from local.exchanges.faults import Faults
from local.exchanges.server import Server
from tests.unit.local.exchanges.market import NOW, TAPE, since

START = NOW.replace(second=0) - timedelta(minutes=30)
Get = Callable[..., Awaitable[tuple[int, Any]]]


@contextlib.asynccontextmanager
async def exchange(faults: Faults | None = None) -> AsyncIterator[Get]:
    """Asks the server, which listens."""
    async with (
        Server(bitfinex_simulator(TAPE, FakeClock(NOW), faults)) as server,
        aiohttp.ClientSession(server.url) as client,
    ):

        async def get(path: str, **query: int) -> tuple[int, Any]:
            async with client.get(path, params={name: str(value) for name, value in query.items()}) as answer:
                return answer.status, await answer.json()

        yield get


async def test_candle_rows_are_time_open_close_high_low_volume() -> None:
    bar = TAPE.bar("BTC-USD", since(START, minutes=1))
    assert bar is not None
    async with exchange() as get:
        start = milliseconds(START)
        _, rows = await get("/v2/candles/trade:1m:tBTCUSD/hist", start=start, end=start, limit=10, sort=1)
    outline = [bar.open, bar.close, bar.high, bar.low, bar.volume]
    assert [rows[0][0], len(rows), *map(str, rows[0][1:])] == [start, 1, *(str(float(one)) for one in outline)]


async def test_rows_come_newest_first_unless_asked_otherwise_and_never_more_than_the_limit() -> None:
    async with exchange() as get:
        path, start = "/v2/candles/trade:1m:tBTCUSD/hist", milliseconds(START)
        _, newest = await get(path, start=start, limit=3)
        _, oldest = await get(path, start=start, limit=3, sort=1)
        _, usual = await get(path)
    assert [row[0] for row in newest] == [milliseconds(NOW.replace(second=0)) - back * 60_000 for back in range(3)]
    assert [row[0] for row in oldest] == [start + ahead * 60_000 for ahead in range(3)]
    assert len(usual) == 100


async def test_trades_are_rows_of_id_time_amount_price_between_both_ends() -> None:
    first = TAPE.next_id("BTC-USD", START)
    async with exchange() as get:
        _, rows = await get("/v2/trades/tBTCUSD/hist", start=milliseconds(START), limit=5, sort=1)
        _, newest = await get("/v2/trades/tBTCUSD/hist", limit=1)
    assert [row[0] for row in rows] == [trade_id("BTC-USD", first + ahead) for ahead in range(5)]
    assert [row[0] for row in newest] == [trade_id("BTC-USD", TAPE.newest_id("BTC-USD", NOW))]


async def test_what_cannot_be_asked_for_is_an_error_500_with_its_reason() -> None:
    async with exchange() as get:
        told = [
            await get("/v2/candles/trade:1m:tNOSUCH/hist"),
            await get("/v2/candles/trade:4h:tBTCUSD/hist"),
            await get("/v2/candles/trade:1m:tBTCUSD/hist", limit=10_001),
            await get("/v2/trades/tBTCUSD/hist", sort=2),
        ]
    assert [status for status, _ in told] == [500] * 4
    assert [body[2] for _, body in told] == ["symbol: invalid", "key: invalid", "limit: invalid", "sort: invalid"]


async def test_whoever_asks_for_trades_more_than_15_times_a_minute_is_shut_out() -> None:
    async with exchange() as get:
        told = [await get("/v2/trades/tBTCUSD/hist", limit=1) for _ in range(16)]
    assert [status for status, _ in told] == [200] * 15 + [429]
    assert told[-1][1] == {"error": "ERR_RATE_LIMIT"}


async def test_pairs_status_and_maintenance() -> None:
    faults = Faults()
    async with exchange(faults) as get:
        assert "DOGE:USD" in (await get("/v2/conf/pub:list:pair:exchange"))[1][0]
        assert (await get("/v2/platform/status"))[1] == [1]
        faults.refuse_connections(rest_too=True)
        assert (await get("/v2/platform/status"))[0] == 503
