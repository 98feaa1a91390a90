"""When to try again to deliver a message: the schedule of Standard Webhooks, some three days, with jitter. Pure."""

from datetime import datetime, timedelta

DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The first try is at once; after try number n the next waits DELAYS[n - 1]."""
TRIES_MAX = len(DELAYS) + 1
JITTER = 0.2
RETRY_AFTER_MAX = timedelta(hours=24)


def next_try(attempt: int, now: datetime, *, spread: float, retry_after: float | None = None) -> datetime | None:
    """When to try again after `attempt` tries; None after the last.

    `spread` (0 to 1, drawn) adds up to a fifth, so that messages that failed together do not come together again. A
    receiver that names a longer wait gets it, up to a day.
    """
    if attempt >= TRIES_MAX:
        return None
    wait = DELAYS[attempt - 1] * (1 + JITTER * spread)
    asked = timedelta(seconds=min(max(retry_after or 0.0, 0.0), RETRY_AFTER_MAX.total_seconds()))
    return now + max(wait, asked)
