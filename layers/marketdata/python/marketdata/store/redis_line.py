"""A line to Valkey or Redis that nobody waits for long: short timeouts, and silence for a while after a failure.

What hangs on it (a cache, shared quotas) does without while it is down. redis-py is imported with the first question,
because only a deployment with REDIS_URL should pay for it.
"""

import logging
import time
from collections.abc import Callable, Sequence
from hashlib import sha1
from threading import Lock
from typing import Any

from marketdata.errors import StoreError

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 0.25
SILENCE_SECONDS = 5.0
"""So long nobody asks a server that did not answer: else each request would wait for it anew."""
CONNECTIONS_MAX = 10

Argument = str | int | float | bytes


class RedisLine:
    """One server at `url` (redis://, rediss:// or valkey://); safe to share between threads."""

    def __init__(self, url: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._monotonic = monotonic
        self._lock = Lock()
        self._client: Any = None
        self._silent_until = float("-inf")

    def run(self, script: str, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """What a Lua script answers: one step, whoever else asks. Raises: StoreError if the server does not answer."""
        return self._ask(lambda client, kind: _evaluate(client, kind, script, keys, arguments))

    def close(self) -> None:
        """Hang up; the next question dials again."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _ask(self, question: Callable[[Any, Any], Any]) -> Any:
        import redis  # noqa: PLC0415 - see above

        if self._monotonic() < self._silent_until:
            raise StoreError("redis", "did not answer a moment ago")
        try:
            return question(self._connected(redis), redis)
        except (redis.RedisError, OSError, ValueError) as error:
            self._silent_until = self._monotonic() + SILENCE_SECONDS
            # The kind alone: a message may quote the address, and the password in it.
            logger.warning("redis does not answer", extra={"reason": type(error).__name__})
            raise StoreError("redis", type(error).__name__) from error

    def _connected(self, redis: Any) -> Any:
        with self._lock:
            if self._client is None:
                self._client = redis.Redis.from_url(
                    self._url.replace("valkey", "redis", 1) if self._url.startswith("valkey") else self._url,
                    socket_timeout=TIMEOUT_SECONDS,
                    socket_connect_timeout=TIMEOUT_SECONDS,
                    max_connections=CONNECTIONS_MAX,
                    retry=None,
                )
            return self._client


def _evaluate(client: Any, kind: Any, script: str, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
    """By the script's digest, which the server knows after the first time."""
    digest = sha1(script.encode(), usedforsecurity=False).hexdigest()
    try:
        return client.evalsha(digest, len(keys), *keys, *arguments)
    except kind.exceptions.NoScriptError:
        return client.eval(script, len(keys), *keys, *arguments)
