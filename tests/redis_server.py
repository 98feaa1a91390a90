"""A real Valkey or Redis server of a test's own: on a free port, without a disk, gone afterwards."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
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

    def forget(self) -> None:
        """Everything that it holds."""
        with closing(redis.Redis.from_url(self.url)) as client:
            client.flushall()

    def pause(self) -> None:
        """Answer nobody, and forget nothing, until `go_on`."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """After `pause`."""
        self.process.send_signal(signal.SIGCONT)

    def start_again(self) -> None:
        """As it comes back after that: at the same address, and empty."""
        self.process = _process(self.port)
        _wait_for(self)

    def stop(self) -> None:
        """End it at once, as a machine that fails does."""
        self.process.kill()
        self.process.wait()


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    """Skips the test, with the reason, where no server is installed."""
    if _program() is None:
        pytest.skip("no valkey-server or redis-server here: scripts/install_redis installs one where it may")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = RedisServer(port, _process(port))
    try:
        _wait_for(server)
        yield server
    finally:
        server.stop()


def _program() -> str | None:
    return shutil.which("valkey-server") or shutil.which("redis-server")


def _process(port: int) -> "subprocess.Popen[bytes]":
    quiet = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--port", str(port)]
    command = [_program() or "", *quiet]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _wait_for(server: RedisServer) -> None:
    retry = redis.retry.Retry(redis.backoff.ConstantBackoff(0.05), int(START_SECONDS_MAX / 0.05))
    client = redis.Redis.from_url(server.url, retry=retry, retry_on_error=[redis.ConnectionError])
    client.ping()
    client.close()
