"""The Binance that runs here and the production adapter agree: what the adapter reads is what the tape holds."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
from marketdata.clock import FakeClock
from marketdata.compute.audit import Auditor
from marketdata.exchanges.binance import BinanceAggregates, BinanceTrades
from marketdata.exchanges.binance_aggregates import BinanceAggregateSearch
from marketdata.exchanges.binance_rest import BinanceRest
from marketdata.exchanges.exchange import LiveTrades, Request, TradePage, TradeSteps
from marketdata.model.candle import Candle
from marketdata.model.events import Claim, CutAnnounced, Event, Heartbeat, Ignored, Subscribed
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.trade import Trade
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from local.exchanges.binance import binance_simulator
from local.exchanges.binance_market import BinanceMarket, aggregated
from local.exchanges.coinbase import Simulator
from local.exchanges.faults import Faults
from tests.unit.local.exchanges.market import DEADLINE_SECONDS, MINUTE, NOW, SECOND, TAPE

LISTED = NOW.replace(second=0) - timedelta(minutes=100)
MARKET = BinanceMarket(TAPE, LISTED)
SYMBOLS = ("DOGEUSDT", "SOLUSDT")


def simulator(clock: FakeClock, faults: Faults | None = None, *, main: bool = False) -> Simulator:
    application = binance_simulator(TAPE, clock, faults, listed_at=LISTED, main=main, poll_seconds=0.002)
    return Simulator(application)


def stream_url(server: Simulator) -> str:
    return server.url.replace("http", "ws", 1)


@asynccontextmanager
async def following(server: Simulator, adapter: LiveTrades) -> AsyncIterator[ClientConnection]:
    async with connect(adapter.url()) as websocket:
        for frame in adapter.subscribe(SYMBOLS):
            await websocket.send(frame)
        await events_until(websocket, adapter, lambda event: event == Subscribed(tuple(sorted(SYMBOLS))))
        yield websocket


async def events_until(
    websocket: ClientConnection, adapter: LiveTrades, wanted: Callable[[Event], bool]
) -> list[Event]:
    events: list[Event] = []
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not any(wanted(event) for event in events):
            events.extend(adapter.decode(await websocket.recv(), None))
    return events


def is_beat(event: Event) -> bool:
    return isinstance(event, Heartbeat) and event.symbol is None


def trades_of(events: Sequence[Event], symbol: str) -> list[Trade]:
    return [event for event in events if isinstance(event, Trade) and event.symbol == symbol]


async def test_the_trade_streams_are_read_trade_for_trade_in_milliseconds() -> None:
    clock = FakeClock(NOW)
    async with simulator(clock) as server:
        adapter = BinanceTrades(stream_url(server))
        async with following(server, adapter) as websocket:
            clock.advance(5 * SECOND)
            events = await events_until(websocket, adapter, is_beat)
    for symbol in SYMBOLS:
        told = MARKET.trades(symbol, NOW, NOW + 5 * SECOND)
        read = trades_of(events, symbol)
        assert [(one.id, one.price, one.size, one.side, one.count) for one in read] == [
            (one.id, one.price, one.size, one.side, 1) for one in told
        ]
        assert [one.time_ns for one in read] == [one.time_ns // 1_000_000 * 1_000_000 for one in told]


@pytest.mark.slow
async def test_the_aggregate_streams_tell_the_same_trades_in_fewer_frames() -> None:
    clock = FakeClock(NOW)
    async with simulator(clock) as server:
        adapter = BinanceAggregates(stream_url(server))
        async with following(server, adapter) as websocket:
            clock.advance(30 * SECOND)
            events = await events_until(websocket, adapter, is_beat)
    for symbol in SYMBOLS:
        told = aggregated(MARKET.trades(symbol, NOW, NOW + 30 * SECOND))
        read = trades_of(events, symbol)
        assert [(one.id, one.last_id, one.size) for one in read] == [(one.id, one.last_id, one.size) for one in told]
    assert max(event.count for event in events if isinstance(event, Trade)) > 1


@pytest.mark.slow
@pytest.mark.parametrize("feed", [BinanceTrades, BinanceAggregates])
async def test_every_kline_agrees_with_the_trades_it_speaks_of(feed: type[BinanceTrades]) -> None:
    clock, verdicts = FakeClock(NOW.replace(second=0)), []
    async with simulator(clock) as server:
        adapter = feed(stream_url(server))
        async with following(server, adapter) as websocket:
            events: list[Event] = []
            for _ in range(35):
                clock.advance(2 * SECOND)
                events += await events_until(websocket, adapter, is_beat)
    for symbol in SYMBOLS:
        auditor = Auditor("binance", symbol)
        for event in events:
            if isinstance(event, Trade) and event.symbol == symbol:
                auditor.add(event)
            elif isinstance(event, Claim) and event.symbol == symbol:
                auditor.claim(event)
        verdicts += auditor.take(None)
    assert all(verdict.agrees for verdict in verdicts), [one for one in verdicts if not one.agrees][:1]
    assert {verdict.claim.closed for verdict in verdicts} == {True, False}
    assert len(verdicts) > 30


async def test_unknown_fields_and_frames_change_nothing() -> None:
    clock, faults = FakeClock(NOW), Faults()
    faults.add_unknowns()
    async with simulator(clock, faults) as server:
        adapter = BinanceTrades(stream_url(server))
        async with following(server, adapter) as websocket:
            clock.advance(5 * SECOND)
            events = await events_until(websocket, adapter, lambda event: event == Ignored("unheardOf"))
    read = [one.id for one in trades_of(events, "SOLUSDT")]
    assert read == [one.id for one in MARKET.trades("SOLUSDT", NOW, NOW + 5 * SECOND)]


async def test_a_shutdown_is_announced() -> None:
    faults = Faults()
    async with simulator(FakeClock(NOW), faults) as server:
        adapter = BinanceTrades(stream_url(server))
        async with following(server, adapter) as websocket:
            faults.inject('{"e":"serverShutdown","E":1770123456789}')
            await events_until(websocket, adapter, lambda event: isinstance(event, CutAnnounced))


async def test_more_than_five_messages_a_second_are_not_suffered() -> None:
    async with simulator(FakeClock(NOW)) as server, connect(stream_url(server) + "/stream") as websocket:
        for _ in range(6):
            await websocket.send('{"method":"LIST_SUBSCRIPTIONS","id":1}')
        with pytest.raises(ConnectionClosed):
            await listen_for_ever(websocket)


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("{", 3),
        ('{"method":"BUY","id":1}', 2),
        (json.dumps({"method": "SUBSCRIBE", "params": [f"s{number}@trade" for number in range(1025)], "id": 1}), 2),
    ],
)
async def test_what_cannot_be_done_is_refused_with_a_code(request_: str, answer: int) -> None:
    async with simulator(FakeClock(NOW)) as server, connect(stream_url(server) + "/stream") as websocket:
        await websocket.send(request_)
        document = json.loads(await websocket.recv())
    assert document["error"]["code"] == answer


@pytest.mark.slow
async def test_a_client_that_answers_pings_stays_and_one_that_does_not_is_cut() -> None:
    clock = FakeClock(NOW)
    async with simulator(clock) as server:
        adapter = BinanceTrades(stream_url(server))
        async with following(server, adapter) as websocket:
            for _ in range(8):
                clock.advance(20 * SECOND)
                await events_until(websocket, adapter, is_beat)
                await websocket.ping()
        async with asyncio.timeout(DEADLINE_SECONDS):
            deaf_since = clock.now()
            reader, writer = await deaf_client(server)
            ended = asyncio.create_task(reader.read())
            while not ended.done():
                clock.advance(SECOND)
                await asyncio.sleep(0.005)
            writer.close()
    assert timedelta(seconds=80) <= clock.now() - deaf_since < timedelta(seconds=120)


async def listen_for_ever(websocket: ClientConnection) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            await websocket.recv()


async def deaf_client(server: Simulator) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that completes the handshake and never answers anything."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    head = f"GET /stream HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    writer.write(f"{head}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


# REST -----------------------------------------------------------------------------------------------------------------


async def test_rest_candles_are_the_tapes_and_empty_minutes_are_none() -> None:
    rest, span = BinanceRest(), Span(LISTED, NOW.replace(second=0))
    async with simulator(FakeClock(NOW)) as server, httpx.AsyncClient(base_url=server.url) as client:
        (request,) = rest.candle_requests("ETHBTC", M1, span)
        candles = rest.parse_candles(await get(client, request), "ETHBTC", M1, NOW)
    assert [outline(one) for one in candles] == tape_outlines("ETHBTC", span.start, span.end)
    assert len(candles) < 100


@pytest.mark.slow
async def test_trades_and_aggregates_lead_back_to_the_first_of_all() -> None:
    everything = MARKET.trades("SOLUSDT", LISTED, NOW)
    async with simulator(FakeClock(NOW), main=True) as server, httpx.AsyncClient(base_url=server.url) as client:
        single = await pages(client, lambda before: one_request(BinanceRest(), before))
        search = BinanceAggregateSearch()
        together = await pages(client, lambda before: search.find_trades("SOLUSDT", before, 1_000))
    assert [(one.id, one.size) for one in single] == [(one.id, one.size) for one in everything]
    assert together[0].id == 0
    assert all(one.last_id + 1 == other.id for one, other in pairwise(together))
    assert together[-1].last_id == everything[-1].id
    assert sum(one.size for one in together) == sum(one.size for one in everything)
    assert len(together) < len(everything)


async def test_the_keyless_host_has_no_old_single_trades() -> None:
    async with simulator(FakeClock(NOW)) as server, httpx.AsyncClient(base_url=server.url) as client:
        answer = await client.get("/api/v3/historicalTrades", params={"symbol": "SOLUSDT"})
        known = await client.get("/api/v3/aggTrades", params={"symbol": "MTGOX"})
    assert answer.status_code == 404
    assert (known.status_code, known.json()["code"]) == (400, -1121)


@pytest.mark.slow
async def test_weight_is_told_and_its_excess_refused_until_the_next_minute() -> None:
    clock = FakeClock(NOW)
    async with simulator(clock) as server, httpx.AsyncClient(base_url=server.url) as client:
        used = [await weight(client, "SOLUSDT") for _ in range(241)]
        assert used[:2] == [("25", 200), ("50", 200)]
        assert used[-2:] == [("6000", 200), ("6025", 429)]
        clock.advance(MINUTE)
        assert await weight(client, "SOLUSDT") == ("25", 200)


async def weight(client: httpx.AsyncClient, symbol: str) -> tuple[str, int]:
    answer = await client.get("/api/v3/trades", params={"symbol": symbol, "limit": 1})
    return answer.headers["X-MBX-USED-WEIGHT-1M"], answer.status_code


def one_request(rest: BinanceRest, before: int | None) -> TradeSteps:
    return rest.parse_trades((yield rest.trades_request("SOLUSDT", before, 1_000)), "SOLUSDT")


async def pages(client: httpx.AsyncClient, ask: Callable[[int | None], TradeSteps]) -> list[Trade]:
    found: list[Trade] = []
    before: int | None = None
    while True:
        page = await walk(client, ask(before))
        found = [*page.trades, *found]
        before = page.next_before
        if before is None:
            return found


async def walk(client: httpx.AsyncClient, steps: TradeSteps) -> TradePage:
    try:
        request = next(steps)
        while True:
            request = steps.send(await get(client, request))
    except StopIteration as end:
        page: TradePage = end.value
        return page


async def get(client: httpx.AsyncClient, request: Request) -> bytes:
    response = await client.get(request.path, params=dict(request.query))
    assert response.status_code == 200, response.text
    return response.content


def outline(candle: Candle) -> tuple[Any, ...]:
    return candle.open_time, candle.open, candle.high, candle.low, candle.close, candle.volume, candle.trades


def tape_outlines(symbol: str, start: datetime, end: datetime) -> list[tuple[Any, ...]]:
    outlines = []
    while start < end:
        trades = MARKET.trades(symbol, start, start + MINUTE)
        prices = [trade.price for trade in trades]
        if trades:
            volume = sum(trade.size for trade in trades)
            outlines.append((start, prices[0], max(prices), min(prices), prices[-1], volume, len(trades)))
        start += MINUTE
    return outlines
