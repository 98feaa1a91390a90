"""Requests that carry a key of their own."""

from datetime import timedelta

import pytest
from marketdata.errors import KeyReused, RequestInvalid, StoreError
from marketdata.jobs.answer_once import answer_once
from marketdata.store.memory import MemoryStore

from tests.market import at

NOW = at("12:00")
REQUEST = ("the-callers-key", "/v1/webhooks/ticks", b"{}")


class Work:
    """Counts how often it was done."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self) -> str:
        self.done += 1
        return f"answer {self.done}"


def test_without_a_key_every_request_is_worked_on() -> None:
    store, work = MemoryStore(), Work()
    assert [answer_once(store, NOW, None, REQUEST, work) for _ in range(2)] == [
        ("answer 1", False),
        ("answer 2", False),
    ]


def test_with_a_key_the_same_request_is_answered_the_same_without_work() -> None:
    store, work = MemoryStore(), Work()
    assert answer_once(store, NOW, "key-1", REQUEST, work) == ("answer 1", False)
    assert answer_once(store, NOW, "key-1", REQUEST, work) == ("answer 1", True)
    assert answer_once(store, NOW, "key-2", REQUEST, work) == ("answer 2", False)


@pytest.mark.parametrize("other", [("/v1/ingest", b"{}"), ("/v1/webhooks/ticks", b"[]")])
def test_a_key_names_one_request_alone(other: tuple[str, bytes]) -> None:
    store, work = MemoryStore(), Work()
    answer_once(store, NOW, "key-1", REQUEST, work)
    with pytest.raises(KeyReused):
        answer_once(store, NOW, "key-1", (REQUEST[0], *other), work)
    assert work.done == 1


def test_keys_of_different_callers_have_nothing_to_do_with_each_other() -> None:
    store, work = MemoryStore(), Work()
    answer_once(store, NOW, "key-1", REQUEST, work)
    assert answer_once(store, NOW, "key-1", ("another-caller", "/", b""), work) == ("answer 2", False)


def test_of_work_that_failed_nothing_is_kept() -> None:
    store, work = MemoryStore(), Work()

    def broken() -> str:
        raise StoreError("put_trades", "away")

    with pytest.raises(StoreError):
        answer_once(store, NOW, "key-1", REQUEST, broken)
    assert answer_once(store, NOW, "key-1", REQUEST, work) == ("answer 1", False)


def test_two_at_once_are_answered_as_the_first_to_be_done() -> None:
    store, work = MemoryStore(), Work()

    def slow() -> str:
        answer_once(store, NOW, "key-1", REQUEST, work)
        return "late"

    assert answer_once(store, NOW, "key-1", REQUEST, slow) == ("answer 1", False)


def test_a_key_is_forgotten_after_a_day() -> None:
    store, work = MemoryStore(), Work()
    answer_once(store, NOW, "key-1", REQUEST, work)
    assert answer_once(store, NOW + timedelta(days=1, seconds=1), "key-1", REQUEST, work) == ("answer 2", False)


@pytest.mark.parametrize("key", ["", " ", "a b", "\n", "é", "k" * 256])
def test_what_cannot_be_a_key_is_refused(key: str) -> None:
    with pytest.raises(RequestInvalid, match="Idempotency-Key"):
        answer_once(MemoryStore(), NOW, key, REQUEST, Work())
