"""Polite HTTP to an exchange's REST: paced, bounded, and every failure named by whose move it is. Synchronous."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

import httpx

from marketdata.clock import Clock
from marketdata.errors import RemoteAbsent, RemoteBlocked, RemoteMalformed, RemoteThrottled, RemoteUnavailable
from marketdata.exchanges.exchange import ReadRefusal, Refusal, Request, Weights
from marketdata.net.retry_after import BANNED, WAIT_STATUSES, asked_wait
from marketdata.net.trust import trusted_authorities

ANSWER_BYTES_MAX = 32 * 2**20
FILE_BYTES_MAX = 256 * 2**20
"""A day of an archive."""
WEIGHT_SHARE_MAX = 0.8
"""Others may share our address: beyond this share of what is allowed a minute we wait for the next."""
SECONDS_A_MINUTE = 60.0
_CLOSED_HERE = frozenset({403, 451})
"""Binance's firewall says 403, and the law 451."""


class Budget(Protocol):
    """One exchange's patience, shared by everyone who asks it."""

    def take(self, weight: int = 1) -> float:
        """Reserve one request of that weight; returns how many seconds to wait before making it."""
        ...

    def block(self, seconds: float, reason: str = "") -> None:
        """The exchange asked for silence, and this is what it said: nobody asks for so long."""
        ...


class PacedBudget:
    """A budget within one process: `per_second` requests, at most `burst` at once; `monotonic` counts seconds.

    A request of a weight counts as so many.
    """

    def __init__(self, per_second: float, burst: int, monotonic: Callable[[], float]) -> None:
        self._interval = 1 / per_second
        self._burst_seconds = (burst - 1) * self._interval
        self._monotonic = monotonic
        self._next = 0.0
        self._lock = threading.Lock()

    def take(self, weight: int = 1) -> float:
        """Reserve one request of that weight; returns how many seconds to wait before making it."""
        with self._lock:
            now = self._monotonic()
            self._next = max(self._next, now - self._burst_seconds)
            wait = max(0.0, self._next - now)
            self._next += self._interval * weight
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
        weights: Weights | None = None,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._exchange = exchange
        self._budget = budget
        self._clock = clock
        self._sleep = sleep
        self._wait_seconds_max = wait_seconds_max
        self._read_refusal = read_refusal
        self._weights = weights
        self._answer_bytes_max = answer_bytes_max
        self._client = httpx.Client(
            base_url=base_url,
            timeout=timeout_seconds,
            follow_redirects=False,
            transport=transport,
            verify=trusted_authorities(),
        )

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()

    def get(self, request: Request) -> bytes:
        """The body of a 200.

        Raises: RemoteThrottled, RemoteUnavailable, RemoteBlocked, RemoteMalformed (RemoteAbsent for a 404).
        """
        wait = self._budget.take(request.weight)
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
        self._note_weight(answer)
        return self._body(answer)

    def _note_weight(self, answer: httpx.Response) -> None:
        """Where the exchange says that much of this minute's weight is used, by whomever, leave the rest alone."""
        if self._weights is None:
            return
        used = answer.headers.get(self._weights.header, "")
        if used.isdecimal() and int(used[:18]) > self._weights.a_minute * WEIGHT_SHARE_MAX:
            now = self._clock.now()
            reason = f"{used} of {self._weights.a_minute} are used this minute"
            self._budget.block(SECONDS_A_MINUTE - (now.second + now.microsecond / 1e6), reason)

    def _body(self, answer: httpx.Response) -> bytes:
        status = answer.status_code
        refusal = self._read_refusal(status, answer.content) if self._read_refusal and status != 200 else None
        if refusal is not None:
            raise self._refused(refusal, answer)
        if status in WAIT_STATUSES:
            raise self._throttled(answer)
        if status in _CLOSED_HERE:
            raise self._closed_here(answer)
        if status >= 500:
            raise RemoteUnavailable(self._exchange, f"HTTP {status}")
        if status == 404:
            raise RemoteAbsent(self._exchange, f"HTTP {status}", answer.text[:300])
        if status != 200 or len(answer.content) > self._answer_bytes_max:
            raise RemoteMalformed(self._exchange, f"HTTP {status}", answer.text[:300])
        return answer.content

    def _throttled(self, answer: httpx.Response) -> RemoteThrottled:
        """429 asks to slow down; 418 is a ban of whoever did not."""
        banned = answer.status_code == BANNED
        seconds = asked_wait(answer.status_code, answer.headers.get("Retry-After"))
        self._budget.block(seconds, f"HTTP {answer.status_code}")
        until = self._clock.now() + timedelta(seconds=seconds)
        reason = f"HTTP 418: banned until {until:%Y-%m-%dT%H:%M:%SZ}" if banned else "HTTP 429: slow down"
        return RemoteThrottled(self._exchange, reason, until)

    def _closed_here(self, answer: httpx.Response) -> RemoteBlocked:
        """By law, or by a firewall that took offence: it says nothing of what was asked for."""
        setting = f"{self._exchange.partition('-')[0].upper()}_REST_URL"
        says = f"HTTP {answer.status_code}: {answer.url.host} may not serve this place"
        return RemoteBlocked(self._exchange, f"{says}; the operator has to choose another host ({setting}) or region")

    def _refused(self, refusal: Refusal, answer: httpx.Response) -> RemoteThrottled | RemoteMalformed:
        reason = f"HTTP {answer.status_code}: {refusal.reason}"
        if refusal.wait_seconds is None:
            return RemoteMalformed(self._exchange, reason, answer.text[:300])
        self._budget.block(refusal.wait_seconds, reason)
        return RemoteThrottled(self._exchange, reason, self._clock.now() + timedelta(seconds=refusal.wait_seconds))
