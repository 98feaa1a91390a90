import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from marketdata.clock import FakeClock
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from local.exchanges.faults import MALFORMED, Faults
from local.exchanges.streams import CONNECTIONS_MAX, REQUEST_BYTES_MAX
from tests.unit.local.exchanges.market import (
    DEADLINE_SECONDS,
    NOW,
    SECOND,
    TAPE,
    listen_until,
    of_type,
    request,
    seconds,
    simulator,
)

BTC = "BTC-USD"


class Rig:
    """A running simulator and the handles of its clock and its faults."""

    def __init__(self, url: str, advanced_url: str, clock: FakeClock, faults: Faults) -> None:
        self.url = url
        self.advanced_url = advanced_url
        self.clock = clock
        self.faults = faults

    @asynccontextmanager
    async def subscribed(self, *symbols: str) -> AsyncIterator[ClientConnection]:
        """A client of the Exchange feed whose subscription is confirmed."""
        async with connect(self.url) as websocket:
            await websocket.send(request("subscribe", *symbols))
            await listen_until(websocket, of_type("subscriptions"))
            yield websocket


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    clock, faults = FakeClock(NOW), Faults(seed=5)
    async with simulator(clock, faults) as server:
        yield Rig(server.exchange_url, server.advanced_url, clock, faults)


async def closing(websocket: ClientConnection) -> ConnectionClosed:
    """How the connection ended."""
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                await websocket.recv()
    except ConnectionClosed as ended:
        return ended


async def test_matches_arrive_as_the_clock_passes_them(rig: Rig) -> None:
    async with rig.subscribed(BTC) as websocket:
        rig.clock.advance(5 * SECOND)
        *matches, heartbeat = await listen_until(websocket, of_type("heartbeat"))
    last_id = TAPE.newest_id(BTC, NOW + 5 * SECOND)
    first_id = TAPE.newest_id(BTC, NOW) + 1
    assert [match["trade_id"] for match in matches] == list(range(first_id, last_id + 1))
    assert heartbeat["last_trade_id"] == last_id


async def test_the_root_is_the_exchange_feed_too(rig: Rig) -> None:
    async with connect(rig.url.removesuffix("exchange")) as websocket:
        await websocket.send(request("subscribe", BTC))
        assert (await listen_until(websocket, of_type("subscriptions")))[0]["type"] == "last_match"


async def test_advanced_trade_has_a_door_of_its_own(rig: Rig) -> None:
    async with connect(rig.advanced_url) as websocket:
        await websocket.send(json.dumps({"type": "subscribe", "channel": "market_trades", "product_ids": [BTC]}))
        await listen_until(websocket, lambda frame: frame["channel"] == "subscriptions")
        rig.clock.advance(SECOND)
        (update,) = await listen_until(websocket, lambda frame: True)
        assert (update["channel"], update["sequence_num"]) == ("market_trades", 2)


async def test_a_client_that_does_not_subscribe_within_five_seconds_is_closed(rig: Rig) -> None:
    async with connect(rig.url) as websocket, connect(rig.advanced_url) as advanced, rig.subscribed(BTC) as faithful:
        rig.clock.advance(seconds(4.9))
        await listen_until(faithful, of_type("heartbeat"))
        rig.clock.advance(seconds(0.1))
        for idle in (websocket, advanced):
            ended = await closing(idle)
            assert ended.rcvd is not None
            assert (ended.rcvd.code, ended.rcvd.reason) == (1008, "no subscription within 5 seconds")
        rig.clock.advance(SECOND)
        await listen_until(faithful, of_type("heartbeat"))


async def test_an_error_does_not_end_the_connection(rig: Rig) -> None:
    async with connect(rig.url) as websocket:
        await websocket.send("{")
        await websocket.send(request("subscribe", BTC))
        kinds = [frame["type"] for frame in await listen_until(websocket, of_type("subscriptions"))]
        assert kinds == ["error", "last_match", "subscriptions"]


async def test_a_request_that_is_too_large_ends_the_connection(rig: Rig) -> None:
    async with connect(rig.url) as websocket:
        await websocket.send("x" * (REQUEST_BYTES_MAX + 1))
        ended = await closing(websocket)
        assert ended.rcvd is not None
        assert ended.rcvd.code == 1009


async def test_binary_requests_are_not_understood(rig: Rig) -> None:
    async with connect(rig.url) as websocket:
        await websocket.send(b"{}")
        ended = await closing(websocket)
        assert ended.rcvd is not None
        assert ended.rcvd.code == 1003


async def test_a_client_too_slow_to_take_its_frames_is_cut_off_and_others_are_not() -> None:
    clock, faults = FakeClock(NOW), Faults()
    async with simulator(clock, faults, frames_max=20) as server:
        rig = Rig(server.exchange_url, server.advanced_url, clock, faults)
        async with rig.subscribed(BTC) as healthy, connect(rig.url, max_queue=1) as slow:
            await slow.send(request("subscribe", "ETH-BTC"))
            # More than the queue and every buffer of the operating system between the two can hold.
            for _ in range(60):
                faults.inject(json.dumps({"type": "noise", "text": "x" * 300_000}))
                await listen_until(healthy, of_type("noise"))
            assert (await closing(slow)).rcvd is None
            clock.advance(SECOND)
            await listen_until(healthy, of_type("heartbeat"))


async def test_only_so_many_connections_are_accepted(rig: Rig) -> None:
    async with asyncio.TaskGroup() as opening:
        opened = [opening.create_task(_open(rig.url)) for _ in range(CONNECTIONS_MAX)]
    with pytest.raises(InvalidStatus) as refused:
        await connect(rig.url)
    assert refused.value.response.status_code == 503
    for task in opened:
        task.result().transport.abort()


async def test_a_clock_that_leaps_breaks_the_connection(rig: Rig) -> None:
    async with rig.subscribed(BTC) as websocket:
        rig.clock.advance(3600 * SECOND)
        assert (await closing(websocket)).rcvd is None


async def test_a_dropped_match_is_missing_from_the_stream_though_the_heartbeat_knows_of_it(rig: Rig) -> None:
    rig.faults.drop_matches(1.0)
    async with rig.subscribed(BTC) as websocket:
        rig.clock.advance(5 * SECOND)
        (heartbeat,) = await listen_until(websocket, of_type("heartbeat"))
    assert heartbeat["last_trade_id"] == TAPE.newest_id(BTC, NOW + 5 * SECOND)


async def test_cutting_ends_every_connection_without_a_goodbye_and_new_ones_are_welcome(rig: Rig) -> None:
    async with rig.subscribed(BTC) as one, rig.subscribed(BTC) as other:
        rig.faults.cut_connections()
        assert [(await closing(websocket)).rcvd for websocket in (one, other)] == [None, None]
    async with rig.subscribed(BTC):
        pass


async def test_a_silent_exchange_keeps_the_socket_open_and_says_nothing_not_even_pong(rig: Rig) -> None:
    async with rig.subscribed(BTC) as websocket:
        await asyncio.wait_for(await websocket.ping(), DEADLINE_SECONDS)
        rig.faults.fall_silent()
        pong = asyncio.ensure_future(await websocket.ping())
        for _ in range(3):
            rig.clock.advance(5 * SECOND)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(websocket.recv(), 0.05)
        assert not pong.done()
        rig.faults.heal()
        rig.clock.advance(SECOND)
        first = (await listen_until(websocket, of_type("heartbeat")))[0]
        assert first["trade_id"] > TAPE.newest_id(BTC, NOW + 14 * SECOND)


async def test_malformed_frames_arrive_as_they_are(rig: Rig) -> None:
    async with rig.subscribed(BTC) as websocket:
        rig.faults.inject_malformed()
        assert await asyncio.wait_for(websocket.recv(), DEADLINE_SECONDS) == MALFORMED


async def test_refused_connections_get_503_until_the_exchange_is_back(rig: Rig) -> None:
    async with rig.subscribed(BTC) as websocket:
        rig.faults.refuse_connections()
        with pytest.raises(InvalidStatus) as refused:
            await connect(rig.url)
        assert refused.value.response.status_code == 503
        rig.clock.advance(SECOND)
        await listen_until(websocket, of_type("heartbeat"))
    rig.faults.heal()
    async with rig.subscribed(BTC):
        pass


async def _open(url: str) -> ClientConnection:
    return await connect(url)
