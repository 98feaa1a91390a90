"""How often to try, and how long to wait in between. Pure: the clients do the waiting."""

import random
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

TRANSIENT = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Patience:
    """At most `tries` tries; between them a random part of a delay that doubles, or what Retry-After asks for.

    Full jitter: callers that failed together do not come back together. A service that asks for more than
    `delay_seconds_max` is not waited for.
    """

    tries: int = 5
    delay_seconds: float = 0.5
    delay_seconds_max: float = 30.0

    def wait_seconds(self, tried: int, retry_after: float | None, share: float | None = None) -> float | None:
        """How long to wait after `tried` tries; None if it is time to give up. `share` is the jitter, from 0 to 1."""
        if tried >= self.tries or (retry_after is not None and retry_after > self.delay_seconds_max):
            return None
        grown = min(self.delay_seconds_max, self.delay_seconds * 2.0 ** min(tried - 1, 16))
        jittered = grown * (random.random() if share is None else share)
        return jittered if retry_after is None else retry_after + jittered * 0.1


def retry_after_seconds(header: str | None, now: float) -> float | None:
    """Seconds from a Retry-After header, which has them or a date; None for neither. `now` is Unix time."""
    if not header:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - now)
    except (TypeError, ValueError):
        return None
