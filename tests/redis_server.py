"""A real Valkey or Redis server of a test's own: on a free port, without a disk, gone afterwards."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import redis

START_SECONDS_MAX = 10.0


@dataclass
class RedisServer:
    """A server that runs; `url` is as REDIS_URL has it."""

    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def stop(self) -> None:
        """End it at once, as a machine that fails does."""
        self.process.kill()
        self.process.wait()


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """Skips the test, with the reason, where no server is installed."""
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        pytest.skip("no valkey-server or redis-server here: scripts/install_redis installs one where it may")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    quiet = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen([program, *quiet], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server = RedisServer(port, process)
    try:
        _wait_for(server)
        yield server
    finally:
        server.stop()


def _wait_for(server: RedisServer) -> None:
    retry = redis.retry.Retry(redis.backoff.ConstantBackoff(0.05), int(START_SECONDS_MAX / 0.05))
    client = redis.Redis.from_url(server.url, retry=retry, retry_on_error=[redis.ConnectionError])
    client.ping()
    client.close()
