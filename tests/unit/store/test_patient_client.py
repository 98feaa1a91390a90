"""Requests to PostgREST when network, gateway or database misbehave: an answer or a StoreError, in bounded time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs

import msgspec
import pytest
from marketdata.errors import StoreError
from marketdata.store.patient_client import DELAY_SECONDS_MAX, PatientClient

from tests.unit.store.scripted_server import ScriptedServer, Step, answer, hang, reset

KEY = "sb_secret_that-nobody-may-see"
WRITTEN = answer(201)


class Thing(msgspec.Struct):
    """A row of the table that these tests imagine."""

    shelf: str
    number: int


class Naps:
    """A sleep that takes no time and remembers how long it should have been."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@contextmanager
def client_of(url: str, naps: Naps | None = None, timeout_seconds: float = 5) -> Iterator[PatientClient]:
    """A client that asks at most three times."""
    client = PatientClient(url, KEY, timeout_seconds=timeout_seconds, attempts_max=3, sleep=naps or Naps())
    yield client
    client.close()


def ask(
    asks: Callable[[PatientClient], object], *script: Step, naps: Naps | None = None, timeout_seconds: float = 5
) -> tuple[ScriptedServer, object]:
    """Let a client ask something against the script; what came of it, an answer or its StoreError."""
    with ScriptedServer(*script) as server, client_of(server.url, naps, timeout_seconds) as client:
        try:
            return server, asks(client)
        except StoreError as error:
            return server, error


def put(client: PatientClient) -> None:
    client.upsert("put_things", "things", [{"shelf": "a", "number": 1}], on_conflict="shelf,number")


def count(client: PatientClient) -> int:
    return client.call("count_things", "count_v1", {"p_shelf": "a"}, int)


def list_all(client: PatientClient) -> list[Thing]:
    return client.select_all("things", "things", ("shelf", "number"), Thing)


def test_a_write_is_tried_again_while_the_server_is_overloaded() -> None:
    naps = Naps()
    server, outcome = ask(put, answer(503), answer(503, b"<html>busy</html>"), WRITTEN, naps=naps)
    assert outcome is None
    assert [one.path for one in server.asked] == ["/rest/v1/things"] * 3
    assert len(naps.seconds) == 2
    assert all(0 <= nap <= DELAY_SECONDS_MAX for nap in naps.seconds)


def test_patience_ends_with_the_last_failure() -> None:
    server, outcome = ask(put, *[answer(503, {"message": "no more connections"})] * 5)
    assert isinstance(outcome, StoreError)
    assert outcome.operation == "put_things"
    assert "503 no more connections" in outcome.reason
    assert len(server.asked) == 3


def test_a_write_whose_answer_was_lost_is_sent_again_unchanged() -> None:
    server, outcome = ask(put, reset, WRITTEN)
    assert outcome is None
    assert server.asked[0] == server.asked[1]


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_a_transaction_that_lost_against_another_is_tried_again(code: str) -> None:
    _, outcome = ask(put, answer(409, {"code": code, "message": "try again"}), WRITTEN)
    assert outcome is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 302])
def test_a_refusal_is_not_argued_with(status: int) -> None:
    server, outcome = ask(put, answer(status, {"code": "42501", "message": "not yours"}))
    assert isinstance(outcome, StoreError)
    assert f"{status} 42501 not yours" in outcome.reason
    assert len(server.asked) == 1


@pytest.mark.parametrize("body", [b"<html>Welcome to the airport</html>", b"", b"null", b"\xff\xfe", b'"1"', b"[1]"])
def test_garbage_is_never_an_answer(body: bytes) -> None:
    _, outcome = ask(count, answer(200, body))
    assert isinstance(outcome, StoreError)
    assert outcome.operation == "count_things"
    assert outcome.__cause__ is not None


def test_a_page_that_says_welcome_to_a_write_has_not_written_it() -> None:
    _, outcome = ask(put, answer(200, b"<html>Welcome to the airport</html>"))
    assert isinstance(outcome, StoreError)


def test_silence_ends_in_an_error_in_bounded_time() -> None:
    started = time.monotonic()
    server, outcome = ask(put, *[hang] * 3, timeout_seconds=0.1)
    assert isinstance(outcome, StoreError)
    assert "Timeout" in outcome.reason
    assert isinstance(outcome.__cause__, TimeoutError)
    assert len(server.asked) == 3
    assert time.monotonic() - started < 5


def test_nobody_listening_is_an_error_with_its_cause() -> None:
    with ScriptedServer() as server:
        url = server.url
    with client_of(url) as client, pytest.raises(StoreError, match="count_things") as caught:
        count(client)
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


def test_the_key_is_sent_and_never_said() -> None:
    echo = answer(401, {"message": f"Invalid API key {KEY}", "details": KEY * 9})
    server, outcome = ask(count, echo)
    assert server.asked[0].headers["apikey"] == KEY
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert isinstance(outcome, StoreError)
    assert "Invalid API key" in str(outcome)
    assert KEY not in f"{outcome}{outcome!r}{outcome.__cause__!r}"


@pytest.mark.parametrize("key", ["", "secret\n", "se cret", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_refused_unsaid(key: str) -> None:
    with pytest.raises(StoreError) as caught:
        PatientClient("http://127.0.0.1:9", key, timeout_seconds=1, attempts_max=1)
    assert not key or key.strip() not in str(caught.value)


def test_pages_are_asked_for_until_every_announced_row_is_there() -> None:
    server, outcome = ask(
        list_all,
        answer(206, [{"shelf": 'the "top"', "number": 1}], content_range="0-0/2"),
        answer(200, [{"shelf": "x", "number": 0}], content_range="0-0/1"),
    )
    assert outcome == [Thing('the "top"', 1), Thing("x", 0)]
    above = r'(and(shelf.gt."the \"top\""),and(shelf.eq."the \"top\"",number.gt."1"))'
    assert parse_qs(server.asked[1].query) == {
        "select": ["shelf,number"],
        "order": ["shelf.asc,number.asc"],
        "or": [above],
    }


ONE = [{"shelf": "a", "number": 1}]


@pytest.mark.parametrize(
    "page",
    [
        answer(200, [], content_range="*/3"),
        answer(200, ONE),
        answer(200, ONE, content_range="0-0/*"),
        answer(200, [{"number": 1}], content_range="0-0/1"),
    ],
    ids=["announced but not given", "no total", "unknown total", "other columns"],
)
def test_an_incomplete_list_is_never_an_answer(page: Step) -> None:
    _, outcome = ask(list_all, page)
    assert isinstance(outcome, StoreError)
