"""Answers kept for seconds, by the market they are about: in the memory of one process, or in Valkey or Redis.

What changes a market raises its generation, and answers of a generation before are not found any more: nothing is
looked for and nothing deleted, they go when their time is over. An answer is kept under the generation that was seen
before it was made, so one that was made of what changed meanwhile is never found.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection
from hashlib import sha256
from threading import Lock
from typing import Protocol

from marketdata.store.redis_line import RedisLine

ANSWER_BYTES_MAX = 2_000_000
MEMORY_BYTES_MAX = 32_000_000
MARKETS_MAX = 10_000
GENERATION_SECONDS = 86_400
"""Longer than any answer is kept, so that no generation comes again while one of its answers is there."""

Market = tuple[str, str]
"""(exchange, symbol)."""


class AnswerCache(Protocol):
    """Raises StoreError where it cannot be asked."""

    def recall(self, market: Market, question: str) -> tuple[bytes | None, int]:
        """The answer, if there is one, and the market's generation."""
        ...

    def keep(self, market: Market, question: str, generation: int, answer: bytes, seconds: float) -> None:
        """Keep an answer that was made since `generation` was told; one that is too large is not kept."""
        ...

    def forget(self, markets: Collection[Market]) -> None:
        """Find no answer of these markets that was made before."""
        ...


class MemoryCache:
    """Answers of one process, at most `bytes_max` of them; the one not asked for the longest goes first."""

    def __init__(self, monotonic: Callable[[], float], bytes_max: int = MEMORY_BYTES_MAX) -> None:
        self._monotonic = monotonic
        self._bytes_max = bytes_max
        self._lock = Lock()
        self._answers: OrderedDict[tuple[Market, str], tuple[int, float, bytes]] = OrderedDict()
        self._bytes = 0
        self._generations: OrderedDict[Market, int] = OrderedDict()
        self._newest = 0

    def recall(self, market: Market, question: str) -> tuple[bytes | None, int]:
        """See AnswerCache."""
        with self._lock:
            # A market that was forgotten of has a generation above all that it ever had.
            generation = self._generations.setdefault(market, self._newest)
            self._bound_generations()
            made, ends, answer = self._answers.get((market, question), (-1, 0.0, b""))
            if made != generation or ends <= self._monotonic():
                return None, generation
            self._answers.move_to_end((market, question))
            return answer, generation

    def keep(self, market: Market, question: str, generation: int, answer: bytes, seconds: float) -> None:
        """See AnswerCache."""
        if len(answer) > ANSWER_BYTES_MAX:
            return
        with self._lock:
            self._drop((market, question))
            self._answers[market, question] = (generation, self._monotonic() + seconds, answer)
            self._bytes += len(answer) + len(question)
            while self._bytes > self._bytes_max:
                self._drop(next(iter(self._answers)))

    def forget(self, markets: Collection[Market]) -> None:
        """See AnswerCache."""
        with self._lock:
            self._newest += 1
            self._generations.update(dict.fromkeys(markets, self._newest))
            self._bound_generations()

    def _drop(self, key: tuple[Market, str]) -> None:
        _, _, answer = self._answers.pop(key, (0, 0.0, b""))
        self._bytes -= len(answer) + len(key[1]) if answer else 0

    def _bound_generations(self) -> None:
        while len(self._generations) > MARKETS_MAX:
            self._generations.popitem(last=False)
            self._newest += 1


class RedisCache:
    """Answers that all instances share. A market's keys lie together on a cluster."""

    def __init__(self, line: RedisLine) -> None:
        self._line = line

    def recall(self, market: Market, question: str) -> tuple[bytes | None, int]:
        """See AnswerCache."""
        answer, generation = self._line.run(_RECALL, [_generation(market), _answer(market, question)], [])
        return (bytes(answer) if answer else None), int(generation)

    def keep(self, market: Market, question: str, generation: int, answer: bytes, seconds: float) -> None:
        """See AnswerCache."""
        milliseconds = int(seconds * 1000)
        if len(answer) <= ANSWER_BYTES_MAX and milliseconds > 0:
            self._line.run(_KEEP, [_answer(market, question)], [generation, answer, milliseconds])

    def forget(self, markets: Collection[Market]) -> None:
        """See AnswerCache."""
        for market in sorted(markets):
            self._line.run(_FORGET, [_generation(market)], [GENERATION_SECONDS])


_RECALL = """
local generation = redis.call('get', KEYS[1]) or '0'
return {redis.call('get', KEYS[2] .. ':' .. generation), generation}
"""
_KEEP = "return redis.call('set', KEYS[1] .. ':' .. ARGV[1], ARGV[2], 'PX', ARGV[3])"
_FORGET = "redis.call('incr', KEYS[1]) return redis.call('expire', KEYS[1], ARGV[1])"


def _generation(market: Market) -> str:
    return f"{_place(market)}:generation"


def _answer(market: Market, question: str) -> str:
    return f"{_place(market)}:answer:{sha256(question.encode()).hexdigest()}"


def _place(market: Market) -> str:
    return "marketdata:{" + "/".join(market) + "}"
