"""The front door over a real server and real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientResponse, ClientSession, web
from marketdata.errors import RequestInvalid

from feed.gateway import gateway
from feed.hub import Hub
from feed.stream_request import parse_stream_request
from tests.event_source import EventSource

DEADLINE_SECONDS = 10
Serve = Callable[[web.Application], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serve an application on a free port; gives its address."""
    async with AsyncExitStack() as stack:

        async def start(app: web.Application) -> str:
            runner = web.AppRunner(app, shutdown_timeout=DEADLINE_SECONDS)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return f"http://127.0.0.1:{runner.addresses[0][1]}"

        yield start


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


def live() -> Mapping[str, object]:
    return {"state": "live"}


async def hear(response: ClientResponse, source: EventSource, until: Callable[[], bool]) -> None:
    """Let `source` hear the stream until something is so."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not until():
            chunk = await response.content.readany()
            assert chunk, "the stream ended"
            source.feed(chunk)


async def until(condition: Callable[[], bool]) -> None:
    """Let the server work until something is so."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 - what the server does has no event to wait for
            await asyncio.sleep(0.01)


def publish(hub: Hub, *numbers: int, symbol: str = "BTC-USD", kind: str = "candle") -> None:
    for number in numbers:
        hub.publish(kind, "coinbase", symbol, str(number).encode())


def data(source: EventSource) -> list[str]:
    return [event.data for event in source.heard]


async def test_what_is_published_is_heard(serve: Serve, session: ClientSession) -> None:
    hub, source = Hub("e"), EventSource()
    async with session.get(await serve(gateway(hub, live)) + "/stream") as response:
        publish(hub, 1)
        await hear(response, source, lambda: data(source) == ["1"])
    assert source.retry_milliseconds == 1_000


async def test_the_stream_is_open_to_every_page_and_held_by_no_proxy(serve: Serve, session: ClientSession) -> None:
    async with session.get(await serve(gateway(Hub("e"), live)) + "/stream") as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert response.headers["Access-Control-Allow-Origin"] == "*"


async def test_only_what_was_asked_for_is_heard(serve: Serve, session: ClientSession) -> None:
    hub, source = Hub("e"), EventSource()
    address = await serve(gateway(hub, live))
    asked = {"exchange": "coinbase", "symbol": "BTC-USD,SOL-USD", "kinds": "candle,status"}
    async with session.get(address + "/stream", params=asked) as response:
        publish(hub, 1, symbol="ETH-USD")
        publish(hub, 2, kind="trade")
        publish(hub, 3, symbol="SOL-USD")
        publish(hub, 4, symbol="", kind="status")
        await hear(response, source, lambda: len(source.heard) >= 2)
    assert data(source) == ["3", "4"]


@pytest.mark.parametrize("way", ["header", "parameter"])
async def test_a_client_resumes_where_it_was_cut_off(serve: Serve, session: ClientSession, way: str) -> None:
    hub, source = Hub("e"), EventSource()
    publish(hub, 1, 2, 3)
    address = await serve(gateway(hub, live))
    headers, query = ({"Last-Event-ID": "e-1"}, {}) if way == "header" else ({}, {"last_event_id": "e-1"})
    async with session.get(address + "/stream", headers=headers, params=query) as response:
        await hear(response, source, lambda: len(source.heard) == 2)
    assert data(source) == ["2", "3"]


async def test_a_quiet_stream_says_that_it_is_there_and_where_to_resume(serve: Serve, session: ClientSession) -> None:
    hub, source = Hub("e"), EventSource()
    address = await serve(gateway(hub, live, comment_seconds=0.01))
    async with session.get(address + "/stream?symbol=BTC-USD") as response:
        publish(hub, *range(5), symbol="ETH-USD")
        await hear(response, source, lambda: source.last_event_id == "e-5")
        assert source.comments
        assert not source.heard


async def test_shutting_down_ends_every_stream(session: ClientSession) -> None:
    runner = web.AppRunner(gateway(Hub("e"), live), shutdown_timeout=DEADLINE_SECONDS)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with asyncio.timeout(DEADLINE_SECONDS / 2):
        async with session.get(f"http://127.0.0.1:{runner.addresses[0][1]}/stream") as response:
            await response.content.readany()
            await runner.cleanup()
            await response.content.read()
            assert response.content.at_eof()


async def test_a_client_that_goes_away_frees_its_place(serve: Serve, session: ClientSession) -> None:
    hub = Hub("e", clients_max=1)
    address = await serve(gateway(hub, live, comment_seconds=0.01))
    async with session.get(address + "/stream") as response:
        assert response.status == 200
    await until(lambda: hub.clients == 0)
    async with session.get(address + "/stream") as response:
        assert response.status == 200


@pytest.mark.slow
async def test_a_client_that_does_not_read_is_dropped_and_the_others_hear_on(
    serve: Serve, session: ClientSession
) -> None:
    hub, source = Hub("e"), EventSource()
    address = await serve(gateway(hub, live, write_seconds_max=0.05))
    host, port = address.removeprefix("http://").split(":")
    _, deaf = await asyncio.open_connection(host, int(port), limit=1)
    deaf.write(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with session.get(address + "/stream") as response, asyncio.timeout(DEADLINE_SECONDS):
        await until(lambda: hub.clients == 2)
        published: list[None] = []
        while hub.clients == 2:
            hub.publish("gap", "coinbase", "BTC-USD", b'"' + b"x" * 100_000 + b'"')
            published.append(None)
            await hear(response, source, lambda: len(source.heard) == len(published))
    deaf.close()


async def test_a_full_stream_is_a_problem_with_a_time_to_come_back(serve: Serve, session: ClientSession) -> None:
    hub = Hub("e", clients_max=1)
    hub.subscribe()
    async with session.get(await serve(gateway(hub, live)) + "/stream") as response:
        assert response.status == 503
        assert response.headers["Retry-After"] == "5"
        assert response.content_type == "application/problem+json"
        assert (await response.json(content_type=None))["status"] == 503


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("kinds=candle,prices", "kinds"),
        ("timeframe=1m", "timeframe"),
        ("symbol=" + ",".join(f"S{number}" for number in range(101)), "symbol"),
        ("symbol=" + "S" * 65, "symbol"),
        ("exchange=" + "e" * 65, "exchange"),
    ],
)
async def test_what_cannot_be_served_is_a_problem_that_names_the_field(
    serve: Serve, session: ClientSession, query: str, field: str
) -> None:
    async with session.get(f"{await serve(gateway(Hub('e'), live))}/stream?{query}") as response:
        assert response.status == 400
        assert response.content_type == "application/problem+json"
        assert [error["field"] for error in (await response.json(content_type=None))["errors"]] == [field]


async def test_a_page_elsewhere_may_send_its_last_id(serve: Serve, session: ClientSession) -> None:
    async with session.options(await serve(gateway(Hub("e"), live)) + "/stream") as response:
        assert response.status == 204
        assert "Last-Event-ID" in response.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    ("state", "status"),
    [("live", 200), ("unconfigured", 200), ("connecting", 503), ("stale", 503), ("down", 503), (None, 503)],
)
async def test_health_is_the_state_of_the_feed(
    serve: Serve, session: ClientSession, state: str | None, status: int
) -> None:
    report = {"state": state, "trades": 3}
    async with session.get(await serve(gateway(Hub("e"), lambda: report)) + "/health") as response:
        assert response.status == status
        assert await response.json() == report


def test_the_header_of_a_browser_that_reconnects_wins_over_its_address() -> None:
    request = parse_stream_request({"last_event_id": "e-1"}, {"Last-Event-ID": "e-5"})
    assert request.last_event_id == "e-5"


def test_an_empty_parameter_asks_for_all() -> None:
    request = parse_stream_request({"exchange": "", "symbol": "", "kinds": " , "}, {})
    assert (request.exchange, request.symbols, request.kinds) == (None, None, None)


def test_a_kind_that_does_not_exist_is_answered_with_those_that_do() -> None:
    with pytest.raises(RequestInvalid) as caught:
        parse_stream_request({"kinds": "prices"}, {})
    assert "candle" in caught.value.choices
