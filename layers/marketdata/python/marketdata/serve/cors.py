"""Which pages of other sites may read the answers (CORS), and what they may read of them.

Source: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

EVERYBODY = "*"
EXPOSED = (
    "ETag, Link, Retry-After, Location, RateLimit, RateLimit-Policy, X-RateLimit-Limit, X-RateLimit-Remaining, "
    "X-RateLimit-Reset, X-Data-Condition, X-Data-Coverage, X-Request-Id, Idempotent-Replayed, Deprecation, Sunset"
)
ALLOWED = "Authorization, Content-Type, Idempotency-Key, If-None-Match, Prefer, X-Api-Key, X-Request-Id"
PREFLIGHT_SECONDS = 300
_READS = ("GET", "HEAD")


class Cors(Struct, frozen=True):
    """`origins` may read; `*` is every page, and for reads alone: to push, a page must be named."""

    origins: Sequence[str]

    def headers(self, method: str, origin: str | None) -> dict[str, str]:
        """What the answer to `method` says to the page at `origin`."""
        if not self.origins:
            return {}
        allowed = self._allowed(method, origin)
        # Said whether or not this page may: another page may be answered from the same cache.
        vary = {} if set(self.origins) == {EVERYBODY} else {"Vary": "Origin"}
        if allowed is None:
            return vary
        return {"Access-Control-Allow-Origin": allowed, "Access-Control-Expose-Headers": EXPOSED, **vary}

    def preflight(self, headers: Mapping[str, str]) -> dict[str, str]:
        """What a page hears that asks (OPTIONS) before it asks."""
        origin, method = headers.get("origin"), headers.get("access-control-request-method", "GET")
        allowed = self._allowed(method, origin)
        vary = {"Vary": "Origin, Access-Control-Request-Method"}
        if allowed is None:
            return vary
        return {
            "Access-Control-Allow-Origin": allowed,
            "Access-Control-Allow-Methods": "GET, HEAD" if allowed == EVERYBODY else "GET, HEAD, POST",
            "Access-Control-Allow-Headers": ALLOWED,
            "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
            **vary,
        }

    def _allowed(self, method: str, origin: str | None) -> str | None:
        if origin is not None and origin in self.origins:
            return origin
        return EVERYBODY if EVERYBODY in self.origins and method.upper() in _READS else None
