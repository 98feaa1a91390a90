"""Polite HTTP to an exchange's REST: paced, bounded, and every failure named by whose move it is. Synchronous."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

import httpx

from marketdata.clock import Clock
from marketdata.errors import RemoteAbsent, RemoteMalformed, RemoteThrottled, RemoteUnavailable
from marketdata.exchanges.exchange import ReadRefusal, Refusal, Request

ANSWER_BYTES_MAX = 32 * 2**20
RETRY_SECONDS_DEFAULT = 5.0
RETRY_SECONDS_MAX = 3 * 86_400.0
"""Binance's longest ban."""


class Budget(Protocol):
    """One exchange's patience, shared by everyone who asks it."""

    def take(self) -> float:
        """Reserve one request; returns how many seconds to wait before making it."""
        ...

    def block(self, seconds: float, reason: str = "") -> None:
        """The exchange asked for silence, and this is what it said: nobody asks for so long."""
        ...


class PacedBudget:
    """A budget within one process: `per_second` requests, at most `burst` at once; `monotonic` counts seconds."""

    def __init__(self, per_second: float, burst: int, monotonic: Callable[[], float]) -> None:
        self._interval = 1 / per_second
        self._burst_seconds = (burst - 1) * self._interval
        self._monotonic = monotonic
        self._next = 0.0
        self._lock = threading.Lock()

    def take(self) -> float:
        """Reserve one request; returns how many seconds to wait before making it."""
        with self._lock:
            now = self._monotonic()
            self._next = max(self._next, now - self._burst_seconds)
            wait = max(0.0, self._next - now)
            self._next += self._interval
            return wait

    def block(self, seconds: float, reason: str = "") -> None:
        """Nobody asks for so long."""
        with self._lock:
            self._next = max(self._next, self._monotonic() + seconds + self._burst_seconds)


class Rest:
    """GET requests to one exchange. `sleep` waits out the budget, for `wait_seconds_max` at most.

    `transport` takes the place of the network's.
    """

    def __init__(
        self,
        exchange: str,
        base_url: str,
        budget: Budget,
        clock: Clock,
        *,
        sleep: Callable[[float], None],
        wait_seconds_max: float = 30.0,
        timeout_seconds: float = 10.0,
        read_refusal: ReadRefusal | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._exchange = exchange
        self._budget = budget
        self._clock = clock
        self._sleep = sleep
        self._wait_seconds_max = wait_seconds_max
        self._read_refusal = read_refusal
        self._client = httpx.Client(
            base_url=base_url, timeout=timeout_seconds, follow_redirects=False, transport=transport
        )

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()

    def get(self, request: Request) -> bytes:
        """The body of a 200. Raises: RemoteThrottled, RemoteUnavailable, RemoteMalformed (RemoteAbsent for a 404)."""
        wait = self._budget.take()
        if wait > self._wait_seconds_max:
            raise RemoteThrottled(self._exchange, "the budget is spent", self._clock.now() + timedelta(seconds=wait))
        if wait:
            self._sleep(wait)
        try:
            answer = self._client.get(
                request.path.lstrip("/"), params=dict(request.query), headers=dict(request.headers)
            )
        except httpx.HTTPError as error:
            raise RemoteUnavailable(self._exchange, f"{type(error).__name__}: {error}") from error
        return self._body(answer)

    def _body(self, answer: httpx.Response) -> bytes:
        status = answer.status_code
        refusal = self._read_refusal(status, answer.content) if self._read_refusal and status != 200 else None
        if refusal is not None:
            raise self._refused(refusal, answer)
        if status in (418, 429):
            seconds = retry_after_seconds(answer.headers.get("Retry-After"))
            self._budget.block(seconds, f"HTTP {status}")
            raise RemoteThrottled(self._exchange, f"HTTP {status}", self._clock.now() + timedelta(seconds=seconds))
        if status >= 500:
            raise RemoteUnavailable(self._exchange, f"HTTP {status}")
        if status == 404:
            raise RemoteAbsent(self._exchange, f"HTTP {status}", answer.text[:300])
        if status != 200 or len(answer.content) > ANSWER_BYTES_MAX:
            raise RemoteMalformed(self._exchange, f"HTTP {status}", answer.text[:300])
        return answer.content

    def _refused(self, refusal: Refusal, answer: httpx.Response) -> RemoteThrottled | RemoteMalformed:
        reason = f"HTTP {answer.status_code}: {refusal.reason}"
        if refusal.wait_seconds is None:
            return RemoteMalformed(self._exchange, reason, answer.text[:300])
        self._budget.block(refusal.wait_seconds)
        return RemoteThrottled(self._exchange, reason, self._clock.now() + timedelta(seconds=refusal.wait_seconds))


def retry_after_seconds(header: str | None) -> float:
    """Seconds of a Retry-After header; a date, or nothing, is taken as a short while."""
    try:
        seconds = float(header) if header is not None else RETRY_SECONDS_DEFAULT
    except ValueError:
        return RETRY_SECONDS_DEFAULT
    return min(max(seconds, 0.0), RETRY_SECONDS_MAX)
