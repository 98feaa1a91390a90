"""The stream over a WebSocket, over a real server and real sockets; and through the house's own door."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSCloseCode, web

from feed.gateway import gateway
from feed.hub import Hub
from local.feed_door import add_feed_routes

DEADLINE_SECONDS = 10
Talk = Callable[..., Awaitable[ClientWebSocketResponse]]


@pytest.fixture(params=["gateway", "house"])
async def talk(request: pytest.FixtureRequest) -> AsyncIterator[Talk]:
    """Connects to a gateway of a hub: directly, and through the front of the house."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(ClientSession())

        async def served(app: web.Application) -> str:
            runner = web.AppRunner(app, shutdown_timeout=1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return f"http://127.0.0.1:{runner.addresses[0][1]}"

        async def connected(hub: Hub, *, comment_seconds: float = 15.0) -> ClientWebSocketResponse:
            url = await served(gateway(hub, lambda: {"state": "live"}, comment_seconds=comment_seconds))
            if request.param == "house":
                front = web.Application()
                add_feed_routes(front, url)
                url = await served(front)
            return await stack.enter_async_context(session.ws_connect(f"{url}/ws"))

        yield connected


def publish(hub: Hub, *numbers: int, symbol: str = "BTC-USD") -> None:
    for number in numbers:
        hub.publish("candle", "coinbase", symbol, str(number).encode())


async def hear(socket: ClientWebSocketResponse, count: int) -> list[Any]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        return [await socket.receive_json() for _ in range(count)]


async def closed(socket: ClientWebSocketResponse) -> int | None:
    """With what it was closed, whatever was said before."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        async for _ in socket:
            pass
    return socket.close_code


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 - what the server does has no event to wait for
            await asyncio.sleep(0.01)


async def test_what_was_asked_for_is_heard_from_where_it_was_asked(talk: Talk) -> None:
    hub = Hub("e")
    publish(hub, 1, 2)
    socket = await talk(hub)
    await socket.send_json({"op": "subscribe", "exchange": "coinbase", "symbols": ["BTC-USD"], "resume_from": "e-1"})
    assert await hear(socket, 2) == [{"type": "position", "id": "e-1"}, {"type": "candle", "id": "e-2", "data": 2}]
    publish(hub, 3, symbol="ETH-USD")
    publish(hub, 4)
    assert await hear(socket, 1) == [{"type": "candle", "id": "e-4", "data": 4}]


async def test_an_id_that_is_not_of_this_stream_is_told_to_load_afresh(talk: Talk) -> None:
    hub = Hub("e")
    socket = await talk(hub)
    await socket.send_json({"op": "subscribe", "resume_from": "f-9"})
    assert await hear(socket, 2) == [{"type": "reset", "data": {}}, {"type": "position", "id": "e-0"}]


async def test_a_new_subscription_takes_the_place_of_the_one_before(talk: Talk) -> None:
    hub = Hub("e")
    socket = await talk(hub)
    await socket.send_json({"action": "subscribe", "broker": "coinbase", "symbols": ["BTC-USD"], "types": ["tick"]})
    await hear(socket, 1)
    await socket.send_json({"op": "subscribe", "symbol": "ETH-USD"})
    await hear(socket, 1)
    assert hub.clients == 1
    publish(hub, 1)
    publish(hub, 2, symbol="ETH-USD")
    assert await hear(socket, 1) == [{"type": "candle", "id": "e-2", "data": 2}]


async def test_who_wants_nothing_more_frees_its_place(talk: Talk) -> None:
    hub = Hub("e")
    socket = await talk(hub)
    await socket.send_json({"op": "subscribe"})
    await hear(socket, 1)
    await socket.send_json({"op": "unsubscribe"})
    await until(lambda: hub.clients == 0)
    await socket.send_json({"op": "subscribe"})
    assert await hear(socket, 1) == [{"type": "position", "id": "e-0"}]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ("hello", "message"),
        ('{"op": "dance"}', "op"),
        ('{"op": "subscribe", "kinds": ["prices"]}', "kinds"),
        ('{"op": "subscribe", "symbols": "BTC-USD"}', "message"),
    ],
)
async def test_what_cannot_be_is_a_problem_that_names_the_field_and_the_talk_goes_on(
    talk: Talk, said: str, field: str
) -> None:
    hub = Hub("e")
    socket = await talk(hub)
    await socket.send_str(said)
    ((problem),) = await hear(socket, 1)
    assert (problem["type"], problem["data"]["status"]) == ("problem", 400)
    assert [error["field"] for error in problem["data"]["errors"]] == [field]
    await socket.send_json({"op": "subscribe"})
    assert await hear(socket, 1) == [{"type": "position", "id": "e-0"}]


async def test_a_slow_client_is_told_what_it_skips_and_closed_to_come_back(talk: Talk) -> None:
    hub = Hub("e", client_events_max=2)
    socket = await talk(hub)
    await socket.send_json({"op": "subscribe"})
    await hear(socket, 1)
    publish(hub, 1, 2, 3)
    assert await hear(socket, 1) == [{"type": "skipped", "data": {"from": "e-1", "to": "e-3"}}]
    assert await closed(socket) == WSCloseCode.TRY_AGAIN_LATER


async def test_a_full_hub_sends_away(talk: Talk) -> None:
    hub = Hub("e", clients_max=1)
    hub.subscribe()
    socket = await talk(hub)
    await socket.send_json({"op": "subscribe"})
    assert await closed(socket) == WSCloseCode.TRY_AGAIN_LATER


async def test_a_quiet_stream_says_where_to_resume(talk: Talk) -> None:
    hub = Hub("e")
    socket = await talk(hub, comment_seconds=0.05)
    await socket.send_json({"op": "subscribe", "symbol": "BTC-USD"})
    publish(hub, *range(5), symbol="ETH-USD")
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await socket.receive_json() != {"type": "position", "id": "e-5"}:
            pass


async def test_a_client_that_goes_away_frees_its_place(talk: Talk) -> None:
    hub = Hub("e")
    socket = await talk(hub)
    await socket.send_json({"op": "subscribe"})
    await hear(socket, 1)
    await socket.close()
    await until(lambda: hub.clients == 0)


async def test_the_end_of_the_hub_closes_every_talk(talk: Talk) -> None:
    hub = Hub("e")
    socket = await talk(hub)
    await socket.send_json({"op": "subscribe"})
    await hear(socket, 1)
    hub.close()
    assert await closed(socket) == WSCloseCode.GOING_AWAY


async def test_a_gateway_that_ends_closes_who_never_asked() -> None:
    runner = web.AppRunner(gateway(Hub("e"), lambda: {"state": "live"}), shutdown_timeout=DEADLINE_SECONDS)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/ws"
    async with ClientSession() as session, session.ws_connect(url) as socket, asyncio.timeout(DEADLINE_SECONDS / 2):
        ending = asyncio.ensure_future(runner.cleanup())
        assert await closed(socket) == WSCloseCode.GOING_AWAY
        await ending


@pytest.mark.slow
async def test_a_client_that_does_not_read_is_dropped() -> None:
    hub = Hub("e")
    runner = web.AppRunner(gateway(hub, lambda: {"state": "live"}, write_seconds_max=0.05), shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/ws"
    async with ClientSession() as session, session.ws_connect(url) as socket, asyncio.timeout(DEADLINE_SECONDS):
        await socket.send_json({"op": "subscribe"})
        await hear(socket, 1)
        while hub.clients == 1:
            hub.publish("candle", "coinbase", "BTC-USD", b'"' + b"x" * 1_000_000 + b'"')
            await asyncio.sleep(0.06)
    await runner.cleanup()


async def test_a_house_without_its_feed_says_so() -> None:
    front = web.Application()
    add_feed_routes(front, "http://127.0.0.1:9")
    runner = web.AppRunner(front)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with ClientSession() as session, session.get(f"http://127.0.0.1:{runner.addresses[0][1]}/ws") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    await runner.cleanup()
