"""The feed's image without Docker: its own steps, then its entry point as the task starts it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest
from marketdata.clock import SystemClock
from marketdata.model.timeframe import M1
from marketdata.store.supabase import SupabaseStore

from infra import bundle
from local.config import instrument
from local.exchanges.coinbase import Simulator, coinbase_simulator
from local.exchanges.tape import Tape
from local.fast_clock import FastClock
from local.house import free_port
from tests.conftest import RunningSupabase
from tests.redis_server import running_redis

pytestmark = [pytest.mark.stack, pytest.mark.slow]

STOP_SECONDS_MAX = 20
PYTHON = bundle.interpreter(bundle.LAMBDA_PYTHON) or sys.executable


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the Dockerfile's one RUN makes of its context."""
    into = tmp_path_factory.mktemp("image") / "market-data"
    context = bundle.feed_context()
    command = ["sh", str(context / "install.sh"), str(context), str(into)]
    subprocess.run(command, env={**os.environ, "PYTHON": PYTHON}, check=True, timeout=180)
    return into


@contextmanager
def task(
    image: Path, log: Path, module: str = "feed.main", **environment: str
) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """An entry point with the image's environment and the task's; nothing of this one."""
    port = free_port()
    given = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": f"{image / 'app'}:{image / 'packages'}",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "FEED_HOST": "127.0.0.1",
        "FEED_PORT": str(port),
        "FEED_IDLE_UNCONFIGURED": "true",
        **environment,
    }
    with log.open("wb") as output:
        command = [PYTHON, "-S", "-m", module]
        process = subprocess.Popen(command, cwd=image / "app", env=given, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process, port
    finally:
        process.kill()
        process.wait(10)


def health_check(image: Path, port: int) -> int:
    """The container's own health check."""
    given: Mapping[str, str] = {"PYTHONPATH": f"{image / 'app'}:{image / 'packages'}", "PATH": "/usr/bin:/bin"}
    command = [PYTHON, "-S", "-m", "feed.health_check", str(port)]
    return subprocess.run(
        command, cwd=image / "app", env=given, capture_output=True, timeout=20, check=False
    ).returncode


def until_state(port: int, wanted: str, seconds_max: float) -> list[str]:
    """The states that /health told until it told this one."""
    told: list[str] = []
    deadline = monotonic() + seconds_max
    while monotonic() < deadline:
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False)
        except httpx.TransportError:
            sleep(0.05)
            continue
        told.append(answer.json()["state"])
        if told[-1] == wanted:
            return told
        sleep(0.05)
    raise AssertionError(f"not {wanted} within {seconds_max} s, but {told}")


def stopped(process: "subprocess.Popen[bytes]") -> int:
    """Its exit code, after being asked to stop as Fargate asks."""
    process.send_signal(signal.SIGTERM)
    return process.wait(STOP_SECONDS_MAX)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_the_image_holds_the_feed_and_nothing_of_its_development(image: Path) -> None:
    assert {path.name for path in image.iterdir()} == {"app", "packages"}
    assert {path.name for path in (image / "app").iterdir()} == {"feed", "marketdata"}
    installed = {path.name for path in (image / "packages").iterdir()}
    assert {"aiohttp", "redis", "websockets"} <= installed
    assert not {"pytest", "psycopg", "boto3", "hypothesis", "typer", "postgrest", "pydantic"} & installed


def test_a_task_without_secrets_is_healthy_and_stops_when_asked(image: Path, tmp_path: Path) -> None:
    before = files(image)
    with task(image, tmp_path / "log", SUPABASE_URL="", SUPABASE_SECRET_KEY="") as (process, port):
        until_state(port, "unconfigured", 30)
        assert health_check(image, port) == 0
        assert stopped(process) == 0
    assert files(image) == before  # its root is read-only


def test_under_its_other_command_the_image_is_a_gateway(image: Path, tmp_path: Path) -> None:
    with running_redis() as server, task(image, tmp_path / "log", "feed.live_gateway", REDIS_URL=server.url) as gateway:
        process, port = gateway
        until_state(port, "live", 30)
        assert health_check(image, port) == 0
        server.stop()
        until_state(port, "connecting", 30)
        assert health_check(image, port) == 1
        assert stopped(process) == 0
    assert "every stream ended" in (tmp_path / "log").read_text()


async def test_a_task_is_healthy_once_its_first_candle_is_merged_and_saves_everything_as_it_stops(
    image: Path, empty_supabase: RunningSupabase, tmp_path: Path
) -> None:
    tape, clock = Tape(3), FastClock(SystemClock().now() - timedelta(hours=1), 4)
    followed = [instrument("coinbase", symbol, ["1m"], simulated=True) for symbol in tape.products]
    async with Simulator(coinbase_simulator(tape, clock)) as exchange:
        with closing(SupabaseStore(empty_supabase.url, empty_supabase.keys.secret)) as store:
            await asyncio.to_thread(store.put_instruments, followed)
            settings = {
                "SUPABASE_URL": empty_supabase.url,
                "SUPABASE_SECRET_KEY": empty_supabase.keys.secret,
                "COINBASE_FEED": "exchange",
                "COINBASE_WEBSOCKET_URL": exchange.exchange_url,
                "COINBASE_REST_URL": exchange.url,
            }
            with task(image, tmp_path / "log", **settings) as (process, port):
                await asyncio.to_thread(until_state, port, "live", 60)
                merged = [store.candles(one, M1, start=None, end=None, limit=5) for one in followed]
                assert any(merged), "it was called healthy before the store had merged a candle of it"
                asked_at = monotonic()
                assert await asyncio.to_thread(stopped, process) == 0
                assert monotonic() - asked_at < STOP_SECONDS_MAX
    log = (tmp_path / "log").read_text()
    assert "stopped, everything saved" in log
    assert empty_supabase.keys.secret not in log
