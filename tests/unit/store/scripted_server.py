"""A real HTTP server that answers by a script, faults included, and remembers what it was asked."""

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

import msgspec

HANG_SECONDS_MAX = 30


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any


Step = Callable[["_Handler"], None]
"""What to do with one request."""


def answer(status: int, body: object = b"", **headers: str) -> Step:
    """Answer; a body that is not bytes is sent as JSON. `content_range` becomes `Content-Range`."""
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)

    def step(handler: "_Handler") -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return step


def reset(handler: "_Handler") -> None:
    """Read the request and cut the connection instead of answering."""
    linger_not = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
    handler.close_connection = True
    handler.connection.close()


def hang(handler: "_Handler") -> None:
    """Read the request and say nothing until the test is over."""
    handler.server.over.wait(HANG_SECONDS_MAX)
    handler.close_connection = True


class ScriptedServer(ThreadingHTTPServer):
    """Does one step of `script` per request; past its end it answers 500."""

    daemon_threads = True

    def __init__(self, *script: Step) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = list(script)
        self.asked: list[Asked] = []
        self.over = Event()
        self._thread = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that left is part of the script."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: ScriptedServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._do()

    def do_POST(self) -> None:
        self._do()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _do(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = msgspec.json.decode(self.rfile.read(length)) if length else None
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append(Asked(self.command, path, query, headers, body))
        step = self.server.script.pop(0) if self.server.script else answer(500, b"the script is over")
        step(self)
