"""The gateway as a process of its own: it serves what a feed publishes, says how it is, and ends as it should."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession

from feed.hub import Hub
from feed.shared_line import SharedLine
from local.house import free_port
from tests.event_source import EventSource
from tests.redis_server import RedisServer, running_redis

DEADLINE_SECONDS = 20
ROOT = Path(__file__).parents[2]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with running_redis() as running:
        yield running


@dataclass(frozen=True)
class Process:
    """A gateway that runs, and its door."""

    process: asyncio.subprocess.Process
    url: str
    session: ClientSession

    async def until(self, status: int) -> dict[str, object]:
        """What /health says once it answers with that status."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                try:
                    async with self.session.get(f"{self.url}/health") as answer:
                        if answer.status == status:
                            found: dict[str, object] = await answer.json()
                            return found
                except OSError:
                    assert self.process.returncode is None, "it ended"
                await asyncio.sleep(0.05)

    async def ended(self) -> int:
        """Its exit code, after being asked as Fargate asks."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), DEADLINE_SECONDS)


Start = Callable[[str], Awaitable[Process]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts gateways with nothing in their environment but what they need."""
    async with AsyncExitStack() as standing:
        session = await standing.enter_async_context(ClientSession())

        async def started(redis_url: str) -> Process:
            port = free_port()
            given = {"PYTHONPATH": os.pathsep.join(sys.path), "REDIS_URL": redis_url, "FEED_PORT": str(port)}
            command = ["-m", "feed.live_gateway"]
            process = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=ROOT, env=given)
            standing.push_async_callback(put_away, process)
            return Process(process, f"http://127.0.0.1:{port}", session)

        yield started


async def put_away(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


async def test_a_client_moves_from_one_gateway_to_another_as_the_first_is_stopped(
    start: Start, server: RedisServer
) -> None:
    feed = SharedLine(server.url, Hub("unheard"))
    first, second = await start(server.url), await start(server.url)
    await asyncio.gather(first.until(200), second.until(200))
    source = EventSource()
    async with first.session.get(f"{first.url}/stream") as response, asyncio.timeout(DEADLINE_SECONDS):
        feed.publish("candle", "coinbase", "BTC-USD", b"1")
        while not source.heard:
            source.feed(await response.content.readany())
        ending = asyncio.ensure_future(first.ended())
        source.feed(await response.content.read())
        assert await ending == 0
    feed.publish("candle", "coinbase", "BTC-USD", b"2")
    headers = {"Last-Event-ID": source.last_event_id}
    async with second.session.get(f"{second.url}/stream", headers=headers) as response:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(source.heard) < 2:
                source.feed(await response.content.readany())
    assert [event.data for event in source.heard] == ["1", "2"]
    async with second.session.ws_connect(f"{second.url}/ws") as socket, asyncio.timeout(DEADLINE_SECONDS):
        await socket.send_json({"op": "subscribe", "resume_from": source.heard[0].event_id})
        said = [await socket.receive_json() for _ in range(2)]
        assert said[1] == {"type": "candle", "id": source.heard[1].event_id, "data": 2}
    await feed.close()


async def test_a_gateway_without_its_server_says_so_takes_nobody_and_is_well_again_with_it(
    start: Start, server: RedisServer
) -> None:
    gateway = await start(server.url)
    await gateway.until(200)
    server.stop()
    assert (await gateway.until(503))["state"] == "connecting"
    async with gateway.session.get(f"{gateway.url}/stream") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    server.start_again()
    assert (await gateway.until(200))["clients"] == 0
    assert await gateway.ended() == 0


@pytest.mark.parametrize(("given", "named"), [({}, "REDIS_URL"), ({"FEED_PORT": "door"}, "FEED_PORT")])
async def test_wrong_settings_are_named_and_end_it(given: dict[str, str], named: str) -> None:
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), **given}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "feed.live_gateway", cwd=ROOT, env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(process.communicate(), DEADLINE_SECONDS)
    assert process.returncode == 5
    assert named in said.decode()


async def test_its_health_says_how_far_it_is_and_no_address(start: Start, server: RedisServer) -> None:
    gateway = await start(server.url)
    said = await gateway.until(200)
    assert said.keys() == {"state", "waiting", "dropped", "breaks", "clients", "epoch", "head"}
    assert str(server.port) not in json.dumps(said)
