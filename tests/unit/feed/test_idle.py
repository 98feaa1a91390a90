"""A feed without settings yet: well, waiting, and ending in time to be started with them."""

import asyncio
from socket import socket

import httpx

from feed.health_check import main as health_check
from feed.idle import idle


def free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def health(port: int) -> httpx.Response:
    """What /health says, once it says anything."""
    async with asyncio.timeout(10), httpx.AsyncClient(trust_env=False) as client:
        while True:
            try:
                return await client.get(f"http://127.0.0.1:{port}/health")
            except httpx.ConnectError:
                await asyncio.sleep(0)


async def test_it_says_that_it_is_unconfigured_and_that_is_healthy() -> None:
    port, stopping = free_port(), asyncio.Event()
    task = asyncio.create_task(idle("127.0.0.1", port, "SUPABASE_URL is missing", stopping=stopping))
    answer = await health(port)
    assert (answer.status_code, answer.json()["state"]) == (200, "unconfigured")
    assert await asyncio.to_thread(health_check, [str(port)]) == 0
    stopping.set()
    assert await task == 0


async def test_it_ends_by_itself_to_be_started_with_the_settings_of_then() -> None:
    assert await idle("127.0.0.1", free_port(), "", stopping=asyncio.Event(), seconds=0.01) == 0


def test_a_feed_that_does_not_answer_is_not_well() -> None:
    assert health_check([str(free_port())]) == 1
