"""Posts batches of ticks to the ingest webhook until each is taken: patient, bounded, and exactly once.

Used by `marketdata feed-ticks`. A batch has a name of its own, so that one whose answer was lost on the way is sent
again under the same Idempotency-Key, and its first answer is counted. What another run posts again has other names, and
is told by its ticks' ids.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import httpx
import msgspec
from marketdata.errors import RemoteMalformed, RemoteUnavailable, RequestInvalid, Unauthorized
from marketdata.net.retry_after import WAIT_STATUSES, asked_wait

from local.tick_stream import Item

NAME = "webhook"
ATTEMPTS_MAX = 8
DELAY_SECONDS_BASE = 0.5
DELAY_SECONDS_MAX = 30.0
TIMEOUT_SECONDS = 30.0
REASONS_KEPT = 5
_TRY_AGAIN = frozenset({408, 425, *WAIT_STATUSES})


class _Answer(msgspec.Struct):
    accepted: int
    duplicates: int
    rejected: list["_Rejected"]


class _Rejected(msgspec.Struct):
    index: int
    field: str
    reason: str


class _Problem(msgspec.Struct):
    detail: str = ""


@dataclass(slots=True)
class Posted:
    """What became of all ticks so far; the first few reasons of those that were rejected."""

    batches: int = 0
    sent: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    retries: int = 0
    reasons: list[str] = field(default_factory=list)


class TickPoster:
    """`url` is the API's, up to /v1/webhooks. `sleep` waits between attempts; `transport` takes the network's place."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        sleep: Callable[[float], None],
        random_source: Random,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.posted = Posted()
        self._url = url.rstrip("/")
        self._sleep = sleep
        self._random = random_source
        self._run = random_source.getrandbits(64)
        self._named = 0
        headers = {"x-api-key": key} if key else {}
        self._client = httpx.Client(headers=headers, timeout=TIMEOUT_SECONDS, transport=transport)

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()

    def symbols(self, items: Sequence[Item]) -> None:
        """Make the symbols known. Raises: RemoteUnavailable, RemoteMalformed, RequestInvalid, Unauthorized."""
        answer = self._post("symbols", items)
        if answer.rejected:
            raise RequestInvalid("symbols", answer.rejected[0].reason)

    def ticks(self, items: Sequence[Item]) -> None:
        """Post one batch, and count what became of it. Raises: as `symbols`."""
        answer = self._post("ticks", items)
        self.posted.batches += 1
        self.posted.sent += len(items)
        self.posted.accepted += answer.accepted
        self.posted.duplicates += answer.duplicates
        self.posted.rejected += len(answer.rejected)
        room = REASONS_KEPT - len(self.posted.reasons)
        self.posted.reasons += [f"{one.field}: {one.reason}" for one in answer.rejected[:room]]

    def _post(self, what: str, items: Sequence[Item]) -> _Answer:
        body = msgspec.json.encode({"items": items})
        self._named += 1
        headers = {"content-type": "application/json", "idempotency-key": f"{self._run:016x}-{self._named}"}
        reason = ""
        for attempt in range(ATTEMPTS_MAX):
            try:
                answer = self._client.post(f"{self._url}/{what}", content=body, headers=headers)
            except httpx.HTTPError as error:
                reason, asked = f"{type(error).__name__}: {error}", 0.0
            else:
                if not (answer.is_server_error or answer.status_code in _TRY_AGAIN):
                    return self._read(answer)
                reason, asked = f"HTTP {answer.status_code}", _asked(answer)
            if attempt + 1 < ATTEMPTS_MAX:
                self.posted.retries += 1
                self._sleep(max(asked, self._delay(attempt)))
        raise RemoteUnavailable(NAME, f"{self._url} did not take a batch in {ATTEMPTS_MAX} attempts: {reason}")

    def _delay(self, attempt: int) -> float:
        """Full jitter: anything up to a bound that doubles."""
        return self._random.uniform(0, min(DELAY_SECONDS_MAX, DELAY_SECONDS_BASE * 2**attempt))

    def _read(self, answer: httpx.Response) -> _Answer:
        if answer.status_code in (401, 403):
            raise Unauthorized(f"{self._url}: {_said(answer)} (INGEST_API_KEYS or API_KEY)")
        if answer.is_client_error:
            raise RequestInvalid("url", f"{self._url} answers HTTP {answer.status_code}: {_said(answer)}")
        try:
            return msgspec.json.decode(answer.content, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RemoteMalformed(NAME, f"HTTP {answer.status_code}: {error}", answer.text[:300]) from error


def _asked(answer: httpx.Response) -> float:
    """The wait that an answer asks for, 503 too; bounded."""
    asked = answer.headers.get("Retry-After")
    return min(DELAY_SECONDS_MAX, asked_wait(429, asked)) if asked is not None else 0.0


def _said(answer: httpx.Response) -> str:
    try:
        return msgspec.json.decode(answer.content, type=_Problem).detail or answer.text[:300]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return answer.text[:300]
