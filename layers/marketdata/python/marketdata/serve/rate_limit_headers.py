"""What a client hears of its quota: the `RateLimit` fields of the IETF's draft, and the `X-RateLimit-*` before them.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
"""

from math import ceil


def rate_limit_headers(
    *, policy: str, quota: int, window_seconds: int, left: int, reset_seconds: float
) -> dict[str, str]:
    """`RateLimit: "default";r=599;t=60` says: 599 requests are left, and all of them again in 60 seconds."""
    reset = ceil(reset_seconds)
    return {
        "RateLimit-Policy": f'"{policy}";q={quota};w={window_seconds}',
        "RateLimit": f'"{policy}";r={left};t={reset}',
        "X-RateLimit-Limit": str(quota),
        "X-RateLimit-Remaining": str(left),
        "X-RateLimit-Reset": str(reset),
    }
