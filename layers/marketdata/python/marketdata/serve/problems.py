"""What went wrong, as clients hear it: problem documents of RFC 9457 with stable types.

A problem says what the caller can do, and nothing of how we are built: reasons of the store stay in the log.
"""

from collections.abc import Mapping
from math import ceil

import msgspec
from msgspec import Struct, field

from marketdata.errors import (
    Ambiguous,
    KeyReused,
    NotAcceptable,
    NotFound,
    RequestInvalid,
    SettingsInvalid,
    StoreError,
    Throttled,
    TooLarge,
    Unauthorized,
)

CONTENT_TYPE = "application/problem+json"
RETRY_SECONDS = 5

_UNKNOWN = {
    "symbol": "unknown-symbol",
    "exchange": "unknown-exchange",
    "job": "unknown-job",
    "export": "unknown-export",
}


class FieldError(msgspec.Struct, frozen=True):
    field: str
    detail: str


class ProblemDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: tuple[FieldError, ...] = ()
    choices: tuple[str, ...] = ()


class Problem(Struct, frozen=True):
    """One kind of failure; `slug` is the last part of its type and never changes its meaning."""

    status: int
    slug: str
    title: str
    detail: str
    errors: tuple[tuple[str, str], ...] = ()
    choices: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """What a client may branch on."""
        return f"/problems/{self.slug}"

    def document(self, instance: str, request_id: str) -> str:
        """The body: this problem, met at `instance` by one request."""
        errors = tuple(FieldError(name, detail) for name, detail in self.errors)
        return msgspec.json.encode(
            ProblemDocument(self.type, self.title, self.status, self.detail, instance, request_id, errors, self.choices)
        ).decode()


def problem_of(error: Exception) -> Problem:
    """The problem that tells a client of `error`."""
    if isinstance(error, RequestInvalid):
        return _of_request(error)
    if isinstance(error, Unauthorized):
        return Problem(401, "unauthorized", "Not let in", str(error), headers={"WWW-Authenticate": "Bearer"})
    if isinstance(error, Throttled):
        retry = {**error.headers, "Retry-After": str(ceil(error.retry_seconds))}
        return Problem(429, "rate-limited", "Too many requests", str(error), headers=retry)
    if isinstance(error, SettingsInvalid):
        return Problem(503, "not-configured", "A setting is missing or wrong", str(error))
    if isinstance(error, StoreError):
        retry = {"Retry-After": str(RETRY_SECONDS)}
        detail = f"The store did not answer; try again in {RETRY_SECONDS} seconds."
        return Problem(503, "store-unavailable", "The store cannot be reached", detail, headers=retry)
    return Problem(500, "internal", "A fault of ours", "It is in our log under the request id.")


def _of_request(error: RequestInvalid) -> Problem:
    status, slug, title = _kind(error)
    return Problem(status, slug, title, str(error), ((error.field, error.reason),), error.choices)


def _kind(error: RequestInvalid) -> tuple[int, str, str]:
    if isinstance(error, Ambiguous):
        return 409, f"ambiguous-{error.field}", "The name fits more than one thing"
    if isinstance(error, TooLarge):
        return 413, "too-large", "More than one request or answer may carry"
    if isinstance(error, NotAcceptable):
        return 406, "not-acceptable", "None of the formats asked for is had"
    if isinstance(error, KeyReused):
        return 422, "idempotency-key-reused", "The key named another request before"
    if isinstance(error, NotFound):
        return 404, _UNKNOWN.get(error.field, "not-found"), "Nothing of that name is here"
    return 400, "invalid-parameter", "The request cannot be understood"
