"""The simulator and the production adapter agree: what the adapter reads is what the tape holds."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import httpx
import pytest
from aiohttp import web
from marketdata.clock import FakeClock, SystemClock
from marketdata.exchanges.coinbase import CoinbaseExchange
from marketdata.exchanges.coinbase_advanced import CoinbaseAdvanced
from marketdata.exchanges.coinbase_rest import CoinbaseRest
from marketdata.exchanges.exchange import LiveTrades, Request
from marketdata.model.events import Event, Heartbeat, Subscribed
from marketdata.model.timeframe import M1
from marketdata.model.trade import Trade
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from local.exchanges.coinbase import Simulator, coinbase_simulator
from local.exchanges.server import Server
from local.exchanges.tape import Bar
from tests.unit.local.exchanges.market import DEADLINE_SECONDS, MINUTE, NOW, SECOND, TAPE, simulator, since

SYMBOLS = ("BTC-USD", "DOGE-USD")


async def follow(adapter: LiveTrades, clock: FakeClock) -> list[Event]:
    """What the adapter makes of five seconds of the market."""
    async with connect(adapter.url()) as websocket:
        for frame in adapter.subscribe(SYMBOLS):
            await websocket.send(frame)
        events = await events_until(websocket, adapter, lambda event: event == Subscribed(tuple(sorted(SYMBOLS))))
        clock.advance(5 * SECOND)
        return events + await events_until(websocket, adapter, lambda event: isinstance(event, Heartbeat))


async def events_until(
    websocket: ClientConnection, adapter: LiveTrades, wanted: Callable[[Event], bool]
) -> list[Event]:
    events: list[Event] = []
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not any(wanted(event) for event in events):
            events.extend(adapter.decode(await websocket.recv(), None))
    return events


def trades_of(events: Sequence[Event], symbol: str) -> list[Trade]:
    return [event for event in events if isinstance(event, Trade) and event.symbol == symbol]


async def test_the_adapter_of_the_exchange_feed_reads_the_tape_trade_for_trade() -> None:
    clock = FakeClock(NOW)
    async with simulator(clock) as server:
        events = await follow(CoinbaseExchange(server.exchange_url), clock)
    for symbol in SYMBOLS:
        last = TAPE.newest_id(symbol, NOW)
        assert trades_of(events, symbol) == [
            *TAPE.trades_by_id(symbol, last, last + 1),
            *TAPE.trades(symbol, since(NOW, seconds=5)),
        ]
    kinds = {type(event) for event in events}
    assert kinds == {Trade, Subscribed, Heartbeat}


async def test_the_adapter_of_advanced_trade_reads_the_tape_trade_for_trade() -> None:
    clock = FakeClock(NOW)
    async with simulator(clock) as server:
        events = await follow(CoinbaseAdvanced(server.advanced_url), clock)
    for symbol in SYMBOLS:
        end = TAPE.next_id(symbol, NOW)
        assert trades_of(events, symbol) == [
            *TAPE.trades_by_id(symbol, end - 100, end),
            *TAPE.trades(symbol, since(NOW, seconds=5)),
        ]


async def test_the_adapter_of_rest_reads_the_tape_candle_for_candle_and_trade_for_trade() -> None:
    rest, span = CoinbaseRest(), since(NOW.replace(second=0) - 400 * MINUTE, minutes=400)
    async with simulator(FakeClock(NOW)) as server, httpx.AsyncClient(base_url=server.url) as client:
        bodies = [await get(client, request) for request in rest.candle_requests("DOGE-USD", M1, span)]
        page = rest.parse_trades(await get(client, rest.trades_request("DOGE-USD", None, 500)), "DOGE-USD")
        older = rest.parse_trades(await get(client, rest.trades_request("DOGE-USD", page.next_before, 500)), "DOGE-USD")
    candles = [candle for body in bodies for candle in rest.parse_candles(body, "DOGE-USD", M1, NOW)]
    bars = {open_time: TAPE.bar("DOGE-USD", since(open_time, minutes=1)) for open_time in minutes_of(span.start, 400)}
    read = {
        candle.open_time: Bar(candle.open, candle.high, candle.low, candle.close, candle.volume) for candle in candles
    }
    assert read == {open_time: bar for open_time, bar in bars.items() if bar}
    end = TAPE.next_id("DOGE-USD", NOW)
    assert [*older.trades, *page.trades] == TAPE.trades_by_id("DOGE-USD", end - 1000, end)


async def test_a_restart_continues_the_same_history() -> None:
    pages = []
    for _ in range(2):
        async with simulator(FakeClock(NOW)) as server, httpx.AsyncClient(base_url=server.url) as client:
            pages.append(await get(client, CoinbaseRest().trades_request("BTC-USD", None, 1000)))
    assert pages[0] == pages[1]


async def test_it_runs_on_the_machines_own_clock() -> None:
    async with Simulator(coinbase_simulator(TAPE, SystemClock())) as server:
        adapter = CoinbaseExchange(server.exchange_url)
        async with connect(adapter.url()) as websocket:
            for frame in adapter.subscribe(SYMBOLS):
                await websocket.send(frame)
            await events_until(websocket, adapter, lambda event: isinstance(event, Heartbeat))


async def test_stopping_says_goodbye_to_its_clients() -> None:
    server = simulator(FakeClock(NOW))
    await server.start()
    async with connect(server.exchange_url) as websocket:
        closing = asyncio.create_task(server.stop())
        with pytest.raises(ConnectionClosed) as ended:
            await asyncio.wait_for(websocket.recv(), DEADLINE_SECONDS)
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == 1001
        await closing


async def test_a_port_in_use_is_an_error_and_leaves_nothing_running() -> None:
    async with simulator(FakeClock(NOW)) as server:
        port = int(server.url.rpartition(":")[2])
        running = asyncio.all_tasks()
        with pytest.raises(OSError, match="address already in use"):
            await Simulator(coinbase_simulator(TAPE, FakeClock(NOW)), port=port).start()
        assert asyncio.all_tasks() == running


async def get(client: httpx.AsyncClient, request: Request) -> bytes:
    response = await client.get(request.path, params=request.query)
    assert response.status_code == 200, response.text
    return response.content


def minutes_of(start: datetime, count: int) -> list[datetime]:
    return [start + index * MINUTE for index in range(count)]


async def test_rest_answers_below_wherever_the_exchange_is_mounted() -> None:
    """`make up` mounts it below a path of the house."""
    house = web.Application()
    house.add_subapp("/simulator", coinbase_simulator(TAPE, FakeClock(NOW)))
    async with Server(house) as server, httpx.AsyncClient() as client:
        answer = await client.get(f"{server.url}/simulator/products/BTC-USD/trades?limit=1")
    assert (answer.status_code, len(answer.json())) == (200, 1)
