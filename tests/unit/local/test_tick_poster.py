"""The poster of ticks against a server that fails in every way a server can."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import httpx
import pytest
from marketdata.errors import MarketDataError, RemoteMalformed, RemoteUnavailable, RequestInvalid, Unauthorized

from local.tick_poster import ATTEMPTS_MAX, DELAY_SECONDS_MAX, TickPoster

ITEMS = [{"symbol": "BTCUSDT", "id": 1}]
GOOD = {"accepted": 1, "duplicates": 0, "rejected": []}
Reply = Callable[[], httpx.Response]


class Door:
    """Answers with each reply in turn, the last one again and again; keeps what it was sent."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return (self.replies.pop(0) if len(self.replies) > 1 else self.replies[0])()

    def poster(self, key: str = "a-key") -> TickPoster:
        """One that speaks to this door, and waits no time."""
        return TickPoster(
            "http://api.example/v1/webhooks",
            key,
            sleep=self.waits.append,
            random_source=Random(7),
            transport=httpx.MockTransport(self),
        )


def says(status: int, body: Any = GOOD, **headers: str) -> Reply:
    return lambda: httpx.Response(
        status, json=body, headers={name.replace("_", "-"): headers[name] for name in headers}
    )


def breaks() -> httpx.Response:
    raise httpx.ReadTimeout("no answer came")


def test_a_batch_is_posted_with_the_key_and_a_name_of_its_own_and_counted() -> None:
    door = Door(
        says(202, {"accepted": 2, "duplicates": 1, "rejected": [{"index": 3, "field": "price", "reason": "no"}]})
    )
    poster = door.poster()
    poster.ticks(ITEMS * 4)
    (request,) = door.requests
    assert (request.url.path, request.headers["x-api-key"]) == ("/v1/webhooks/ticks", "a-key")
    assert json.loads(request.content) == {"items": ITEMS * 4}
    posted = poster.posted
    assert (posted.sent, posted.accepted, posted.duplicates, posted.rejected) == (4, 2, 1, 1)
    assert posted.reasons == ["price: no"]


@pytest.mark.parametrize("trouble", [breaks, says(500), says(503), says(429), says(408), says(502, "<html>")])
def test_trouble_that_may_pass_is_waited_out_and_the_same_is_sent_under_the_same_name(trouble: Reply) -> None:
    door = Door(trouble, trouble, says(202))
    poster = door.poster()
    poster.ticks(ITEMS)
    assert len({(request.content, request.headers["idempotency-key"]) for request in door.requests}) == 1
    assert (poster.posted.accepted, poster.posted.sent, poster.posted.retries) == (1, 1, 2)
    assert len(door.waits) == 2


def test_other_batches_have_other_names() -> None:
    door = Door(says(202))
    poster = door.poster()
    poster.ticks(ITEMS)
    poster.ticks([{"symbol": "BTCUSDT", "id": 2}])
    assert len({request.headers["idempotency-key"] for request in door.requests}) == 2


@pytest.mark.parametrize("status", [429, 503])
def test_what_it_is_asked_to_wait_it_waits_within_bounds(status: int) -> None:
    door = Door(says(status, Retry_After="7"), says(status, Retry_After="9999"), says(202))
    door.poster().ticks(ITEMS)
    assert door.waits == [7, DELAY_SECONDS_MAX]


def test_attempts_and_waits_are_bounded() -> None:
    door = Door(breaks)
    poster = door.poster()
    with pytest.raises(RemoteUnavailable, match=f"{ATTEMPTS_MAX} attempts: ReadTimeout"):
        poster.ticks(ITEMS)
    assert (len(door.requests), len(door.waits), poster.posted.sent) == (ATTEMPTS_MAX, ATTEMPTS_MAX - 1, 0)
    assert max(door.waits) <= DELAY_SECONDS_MAX


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (says(401, {"detail": "no key, or not one of those"}), Unauthorized),
        (says(400, {"detail": "body: cannot be read"}), RequestInvalid),
        (says(422, {"detail": "another request"}), RequestInvalid),
        (says(404, "not here"), RequestInvalid),
        (says(202, {"status": "ok"}), RemoteMalformed),
    ],
)
def test_what_will_not_pass_is_said_at_once_and_without_the_key(reply: Reply, error: type[MarketDataError]) -> None:
    door = Door(reply)
    with pytest.raises(error) as refused:
        door.poster("the-secret").ticks(ITEMS)
    assert len(door.requests) == 1
    assert "the-secret" not in str(refused.value)


def test_a_symbol_that_is_not_taken_ends_it() -> None:
    door = Door(
        says(202, {"accepted": 0, "duplicates": 0, "rejected": [{"index": 0, "field": "base", "reason": "no"}]})
    )
    with pytest.raises(RequestInvalid, match="no"):
        door.poster().symbols(ITEMS)
    assert door.requests[0].url.path == "/v1/webhooks/symbols"


def test_only_a_few_reasons_are_kept() -> None:
    many = [{"index": index, "field": "price", "reason": "no"} for index in range(100)]
    poster = Door(says(202, {"accepted": 0, "duplicates": 0, "rejected": many})).poster()
    poster.ticks(ITEMS)
    poster.ticks(ITEMS)
    assert (poster.posted.rejected, len(poster.posted.reasons)) == (200, 5)
