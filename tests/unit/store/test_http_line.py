"""Connections that stay open, to a server that may close them, cut them, pack its answers or say nothing."""

import gzip
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any

import pytest
from marketdata.store.http_line import IDLE_MAX, HttpLine

from tests.unit.store.scripted_server import ScriptedServer, Step, answer, hang, reset


@contextmanager
def line_to(*script: Step, timeout_seconds: float = 5) -> Iterator[tuple[ScriptedServer, HttpLine, list[int]]]:
    """A server that does `script`, a line to it, and the client's port of each request so far."""
    ports: list[int] = []

    def noting(step: Step) -> Step:
        def noted(handler: Any) -> None:
            ports.append(handler.client_address[1])
            step(handler)

        return noted

    with ScriptedServer(*map(noting, script)) as server:
        line = HttpLine(server.url, timeout_seconds)
        try:
            yield server, line, ports
        finally:
            line.close()


OK = answer(200, b"yes")
CLOSING = answer(200, b"yes", connection="close")


def test_requests_share_a_connection() -> None:
    with line_to(OK, OK, answer(404, b"no")) as (server, line, ports):
        assert [line.send("GET", f"/{number}", {}).status for number in range(3)] == [200, 200, 404]
    assert len(set(ports)) == 1
    assert [one.path for one in server.asked] == ["/0", "/1", "/2"]


def test_method_path_headers_and_body_arrive_as_they_are_given() -> None:
    with line_to(answer(201, b"", x_said="Hello")) as (server, line, _):
        told = line.send("POST", "/things?columns=%22a%22", {"Prefer": "return=minimal"}, b'{"a":"\xc3\xa9"}')
    [asked] = server.asked
    assert (asked.method, asked.path, asked.query, asked.body) == ("POST", "/things", "columns=%22a%22", {"a": "é"})
    assert asked.headers["prefer"] == "return=minimal"
    assert (told.status, told.headers["x-said"], told.content) == (201, "Hello", b"")


def test_a_connection_that_the_server_closed_is_replaced_unnoticed() -> None:
    with line_to(CLOSING, OK, OK) as (_, line, ports):
        assert [line.send("GET", "/", {}).content for _ in range(3)] == [b"yes"] * 3
    assert len(set(ports)) == 2


def test_a_request_that_meets_a_cut_on_a_kept_connection_is_sent_once_more() -> None:
    with line_to(OK, reset, OK) as (server, line, _):
        assert [line.send("GET", "/", {}).status for _ in range(2)] == [200, 200]
        assert len(server.asked) == 3


def test_a_cut_on_a_new_connection_is_told() -> None:
    with line_to(reset, OK) as (server, line, _):
        with pytest.raises(ConnectionError):
            line.send("GET", "/", {})
        assert len(server.asked) == 1
        assert line.send("GET", "/", {}).status == 200


def test_a_packed_answer_is_unpacked() -> None:
    with line_to(answer(200, gzip.compress(b"candles" * 99), content_encoding="gzip")) as (server, line, _):
        assert line.send("GET", "/", {}).content == b"candles" * 99
    assert server.asked[0].headers["accept-encoding"] == "gzip"


def test_silence_ends_and_the_connection_is_not_used_again() -> None:
    with line_to(hang, OK, timeout_seconds=0.1) as (_, line, ports):
        with pytest.raises(TimeoutError):
            line.send("GET", "/", {})
        assert line.send("GET", "/", {}).status == 200
    assert len(set(ports)) == 2


def said_by_a_server(said: bytes) -> str:
    """Where one connection is answered `said`, and closed."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, listening:
            connection.recv(65_536)
            connection.sendall(said)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize(
    "said",
    [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"],
    ids=["nothing", "another protocol", "half an answer"],
)
def test_what_is_no_whole_answer_is_none(said: bytes) -> None:
    with pytest.raises((OSError, HTTPException)):
        HttpLine(said_by_a_server(said), 5).send("GET", "/", {})


@pytest.mark.parametrize(
    "packed",
    [gzip.compress(b"candles" * 99)[:-9], gzip.compress(b"a")[:12] + b"junk" * 9, b"a"],
    ids=["cut short", "junk within", "no gzip"],  # what gzip writes holds the time of day: no name of a test
)
def test_what_cannot_be_unpacked_is_no_answer(packed: bytes) -> None:
    with (
        line_to(answer(200, packed, content_encoding="gzip")) as (_, line, _ports),
        pytest.raises(OSError, match="gzip"),
    ):
        line.send("GET", "/", {})


def test_threads_that_ask_at_once_have_connections_of_their_own_and_few_are_kept() -> None:
    together = threading.Barrier(IDLE_MAX + 4, timeout=10)

    def wait(handler: object) -> None:
        together.wait()
        OK(handler)  # type: ignore[arg-type]

    with line_to(*[wait] * (IDLE_MAX + 4)) as (_, line, ports):
        asking = [threading.Thread(target=line.send, args=("GET", "/", {})) for _ in range(IDLE_MAX + 4)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join(10)
        assert len(set(ports)) == IDLE_MAX + 4
        assert len(line._idle) == IDLE_MAX


def test_a_server_that_nobody_vouches_for_is_not_spoken_to() -> None:
    url = said_by_a_server(b"HTTP/1.1 200 OK\r\n\r\n").replace("http", "https")
    with pytest.raises(ssl.SSLError):
        HttpLine(url, 5).send("GET", "/", {})


@pytest.mark.parametrize("url", ["", "abc.supabase.co", "ftp://abc.supabase.co", "https://", "http://a:port"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"must be|[Pp]ort"):
        HttpLine(url, 5)
