"""What a cache of answers means, in memory and over a real Valkey or Redis; and that its death fails no answer."""

from collections.abc import Iterator
from time import monotonic

import pytest
from marketdata.errors import StoreError
from marketdata.jobs.remember_answers import RememberedAnswers
from marketdata.store.answer_cache import ANSWER_BYTES_MAX, AnswerCache, MemoryCache, RedisCache
from marketdata.store.quota_book import MemoryQuotas
from marketdata.store.redis_line import SILENCE_SECONDS, RedisLine
from marketdata.store.redis_quotas import RedisQuotas

from tests.redis_server import RedisServer, running_redis

BTC, ETH = ("coinbase", "BTC-USD"), ("coinbase", "ETH-USD")


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with running_redis() as running:
        yield running


@pytest.fixture(params=["memory", "redis"])
def cache(request: pytest.FixtureRequest) -> Iterator[AnswerCache]:
    """Each kind of cache in turn, empty."""
    if request.param == "memory":
        yield MemoryCache(monotonic)
        return
    line = RedisLine(request.getfixturevalue("server").url)
    yield RedisCache(line)
    line.close()


def keep(cache: AnswerCache, answer: bytes = b"answer", question: str = "q", seconds: float = 60) -> None:
    _, generation = cache.recall(BTC, question)
    cache.keep(BTC, question, generation, answer, seconds)


def test_an_answer_is_found_again_under_its_market_and_question_alone(cache: AnswerCache) -> None:
    keep(cache, b"\x00answer\xff")
    assert cache.recall(BTC, "q")[0] == b"\x00answer\xff"
    assert cache.recall(BTC, "r")[0] is None
    assert cache.recall(ETH, "q")[0] is None


def test_what_changes_a_market_changes_no_other(cache: AnswerCache) -> None:
    keep(cache)
    cache.forget([ETH])
    assert cache.recall(BTC, "q")[0] == b"answer"
    cache.forget([BTC])
    assert cache.recall(BTC, "q")[0] is None
    keep(cache, b"new")
    assert cache.recall(BTC, "q")[0] == b"new"


def test_an_answer_made_of_what_changed_meanwhile_is_never_found(cache: AnswerCache) -> None:
    _, generation = cache.recall(BTC, "q")
    cache.forget([BTC])
    cache.keep(BTC, "q", generation, b"of before", 60)
    assert cache.recall(BTC, "q")[0] is None


def test_an_answer_goes_when_its_time_is_over(cache: AnswerCache) -> None:
    keep(cache, seconds=0.05)
    deadline = monotonic() + 10
    while cache.recall(BTC, "q")[0] is not None:
        assert monotonic() < deadline


def test_an_answer_that_is_too_large_is_not_kept(cache: AnswerCache) -> None:
    keep(cache, b"x" * (ANSWER_BYTES_MAX + 1))
    assert cache.recall(BTC, "q")[0] is None


def test_memory_is_bounded_and_what_was_asked_for_lately_stays() -> None:
    cache = MemoryCache(monotonic, bytes_max=1_000)
    for name in ("old", "used"):
        keep(cache, b"x" * 400, name)
    cache.recall(BTC, "used")
    keep(cache, b"x" * 400, "new")
    keep(cache, b"y" * 400, "new")
    assert [cache.recall(BTC, name)[0] is not None for name in ("old", "used", "new")] == [False, True, True]


def test_a_server_that_dies_fails_no_answer_and_is_not_waited_for_by_each(server: RedisServer) -> None:
    now = [0.0]
    line = RedisLine(server.url, monotonic=lambda: now[0])
    failures: list[None] = []
    remembered = RememberedAnswers(RedisCache(line), 60, lambda: failures.append(None))
    assert remembered.answer(BTC, "q", lambda: b"made") == (b"made", False)
    assert remembered.answer(BTC, "q", lambda: b"made again") == (b"made", True)
    server.stop()
    started = monotonic()
    for _ in range(50):
        assert remembered.answer(BTC, "q", lambda: b"made again") == (b"made again", False)
    remembered.forget([BTC])
    assert monotonic() - started < 5
    assert len(failures) == 51
    with pytest.raises(StoreError, match="a moment ago"):
        RedisQuotas(line).take_quota("ann", quota=1, window_seconds=1)
    now[0] = SILENCE_SECONDS
    with pytest.raises(StoreError, match="ConnectionError"):
        RedisQuotas(line).take_quota("ann", quota=1, window_seconds=1)
    line.close()


def test_the_password_of_the_server_is_in_no_error_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    line = RedisLine("redis://:the-password@127.0.0.1:1/0")
    with pytest.raises(StoreError) as refused:
        RedisCache(line).recall(BTC, "q")
    assert "the-password" not in f"{refused.value}{caplog.text}{caplog.records}"
    line.close()


def test_without_seconds_nothing_is_kept() -> None:
    remembered = RememberedAnswers(MemoryCache(monotonic), 0)
    made = iter((b"one", b"two"))
    assert [remembered.answer(BTC, "q", lambda: next(made)) for _ in range(2)] == [(b"one", False), (b"two", False)]


def test_what_fails_is_not_kept(cache: AnswerCache) -> None:
    remembered = RememberedAnswers(cache, 60)

    def fail() -> bytes:
        raise StoreError("read_candles", "away")

    with pytest.raises(StoreError):
        remembered.answer(BTC, "q", fail)
    assert remembered.answer(BTC, "q", lambda: b"made") == (b"made", False)


def test_quotas_in_memory_do_not_grow_for_a_caller_who_is_refused() -> None:
    book = MemoryQuotas(lambda: 0.0)
    assert [book.take_quota("ann", quota=1, window_seconds=60).granted for _ in range(3)] == [1, 0, 0]
