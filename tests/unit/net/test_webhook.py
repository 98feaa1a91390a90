"""One POST, against a real server that does what receivers do."""

import socket
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import monotonic

import pytest
from marketdata.net.webhook import WebhookAnswer, Webhooks

from tests.webhook_receiver import Receiver, Reply

BODY, HEADERS = b'{"a":1}', {"Content-Type": "application/json", "webhook-id": "msg_1"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that takes everything."""
    with Receiver() as one:
        yield one


def post(url: str, **how: float) -> WebhookAnswer:
    return Webhooks(allow_local=True, **how).post(url, BODY, HEADERS)  # type: ignore[arg-type]


def test_the_body_and_the_headers_arrive_as_they_were_given(receiver: Receiver) -> None:
    assert post(f"{receiver.url}?x=1") == WebhookAnswer(200)
    (got,) = receiver.received
    assert (got.path, got.body, got.id) == ("/hook?x=1", BODY, "msg_1")
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    with Receiver() as inner:
        receiver.replies = lambda _: Reply(status, {"Location": inner.url})
        answer = post(receiver.url)
        assert inner.received == []
    assert (answer.delivered, answer.status) == (False, status)
    assert "redirects are not followed" in answer.error
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "120"}, 120.0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_a_receiver_that_asks_for_patience_says_for_how_long(
    receiver: Receiver, headers: dict[str, str], seconds: float | None
) -> None:
    receiver.replies = lambda _: Reply(429, headers)
    answer = post(receiver.url)
    assert (answer.status, answer.retry_after) == (429, seconds)


def test_a_date_until_which_to_wait_counts_from_the_receiver_s_own(receiver: Receiver) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    receiver.replies = lambda _: Reply(503, {"Retry-After": later})
    assert post(receiver.url).retry_after == pytest.approx(3_600, abs=60)


def test_a_receiver_that_drips_its_answer_is_cut_off_as_a_whole() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    while not stop.wait(0.05):
                        connection.sendall(b"H")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        begun = monotonic()
        answer = post(f"http://127.0.0.1:{server.getsockname()[1]}/", timeout_seconds=0.5)
        stop.set()
        dripping.join()
    assert answer.status is None
    assert monotonic() - begun < 5


def test_an_answer_without_end_is_read_no_further_than_its_bound(receiver: Receiver) -> None:
    receiver.replies = lambda _: Reply(200, body=b"x" * 5_000_000)
    assert post(receiver.url).delivered


def test_nobody_there_is_no_answer_and_no_error_of_ours() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    answer = post(f"http://127.0.0.1:{port}/")
    assert (answer.status, answer.error) == (None, "no answer (ConnectionRefusedError)")


def test_a_private_address_is_not_connected_to_unless_it_is_allowed(receiver: Receiver) -> None:
    answer = Webhooks().post(receiver.url.replace("http:", "https:"), BODY, HEADERS)
    assert (answer.status, answer.error) == (None, "refused: leads to an address that is not public")
    assert receiver.received == []


def test_a_name_that_changes_its_address_after_it_was_checked_is_looked_up_once_alone() -> None:
    answers = [["93.184.215.14"], ["127.0.0.1"]]
    asked: list[str] = []

    def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return answers[min(len(asked), 2) - 1]

    answer = Webhooks(find=rebinding, timeout_seconds=0.3).post("https://rebind.example:9/", BODY, HEADERS)
    assert asked == ["rebind.example"]
    assert answer.status is None


def test_errors_name_no_address_because_addresses_are_secret(receiver: Receiver) -> None:
    receiver.replies = lambda _: Reply(500)
    for url in (receiver.url, "https://hooks.invalid/T000/secret", "ftp://hooks.example.com/secret"):
        answer = post(url)
        assert "secret" not in answer.error
        assert "hook" not in answer.error


def test_the_name_is_still_proven_by_tls(receiver: Receiver) -> None:
    answer = post(receiver.url.replace("http:", "https:"))
    assert answer.status is None
    assert "SSL" in answer.error
