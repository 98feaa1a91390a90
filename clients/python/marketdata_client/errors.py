"""What may go wrong, by whose move it is.

MarketDataClientError
 ├ ApiError(problem)             the service answered with a problem document (RFC 9457)
 │   ├ RequestInvalid            the caller must change what `errors` names
 │   │   ├ NotFound              nothing of that name; `choices` are those there are
 │   │   ├ Ambiguous             the name fits several; `choices` are those
 │   │   ├ TooLarge              ask or send less at once
 │   │   └ KeyReused             an Idempotency-Key came with another request before
 │   ├ Unauthorized              the key is missing or wrong
 │   ├ Throttled                 too many requests; `retry_after` seconds
 │   └ Unavailable               the service or its store does not answer; try later
 └ ConnectionFailed              nobody answered at all
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class MarketDataClientError(Exception):
    """Whatever this client raises."""


class ConnectionFailed(MarketDataClientError):
    """No answer, after all tries."""


class DataWarning(UserWarning):
    """What was answered is not whole: it has gaps, or candles held in part."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document; `type` is what to branch on and never changes its meaning."""

    status: int
    type: str
    title: str
    detail: str
    request_id: str = ""
    errors: tuple[tuple[str, str], ...] = ()
    choices: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


class ApiError(MarketDataClientError):
    """The service refused or failed; see `problem`."""

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        named = f" (request {problem.request_id})" if problem.request_id else ""
        super().__init__(f"{problem.title}: {problem.detail}{named}")
        self.problem = problem
        self.retry_after = retry_after

    @property
    def fields(self) -> tuple[str, ...]:
        """The parameters or fields that it is about."""
        return tuple(name for name, _ in self.problem.errors)

    @property
    def choices(self) -> tuple[str, ...]:
        """What could be said instead, where the service knows."""
        return self.problem.choices


class RequestInvalid(ApiError):
    """The caller must change something; `fields` says what."""


class NotFound(RequestInvalid):
    """Nothing of that name is there."""


class Ambiguous(RequestInvalid):
    """The name fits more than one thing."""


class TooLarge(RequestInvalid):
    """More than one request may carry."""


class KeyReused(RequestInvalid):
    """The Idempotency-Key named another request."""


class Unauthorized(ApiError):
    """Not let in."""


class Throttled(ApiError):
    """Too many requests."""


class Unavailable(ApiError):
    """Their side failed; trying later may help."""


_BY_SLUG: dict[str, type[ApiError]] = {"idempotency-key-reused": KeyReused}
_BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Ambiguous,
    413: TooLarge,
    429: Throttled,
}


def error_of(status: int, document: Any, retry_after: float | None) -> ApiError:
    """The error that an answer tells of; a body that is no problem document is told by its status."""
    told = document if isinstance(document, dict) else {}
    problem = Problem(
        status=status,
        type=str(told.get("type", "about:blank")),
        title=str(told.get("title", f"HTTP {status}")),
        detail=str(told.get("detail") or told.get("message") or "no more is said"),
        request_id=str(told.get("request_id", "")),
        errors=tuple((str(one["field"]), str(one["detail"])) for one in told.get("errors", ())),
        choices=tuple(map(str, told.get("choices", ()))),
        extra=told,
    )
    fallback = Unavailable if status >= 500 else RequestInvalid
    kind = _BY_SLUG.get(problem.type.rpartition("/")[2]) or _BY_STATUS.get(status, fallback)
    return kind(problem, retry_after)
