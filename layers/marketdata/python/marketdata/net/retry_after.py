"""How long an exchange asks to be left alone, by the status and the header of its refusal. Read by rest and line."""

from math import isnan

SLOW_DOWN, BANNED = 429, 418
WAIT_STATUSES = frozenset({SLOW_DOWN, BANNED})
SLOW_DOWN_SECONDS = 5.0
BAN_SECONDS = 120.0
"""Binance's shortest ban."""
WAIT_SECONDS_MAX = 3 * 86_400.0
"""Binance's longest one."""


def asked_wait(status: int, retry_after: str | None) -> float:
    """Seconds to wait after that answer: 0 if it asks for none; a date, or no header, counts as a short while."""
    if status not in WAIT_STATUSES:
        return 0.0
    short = BAN_SECONDS if status == BANNED else SLOW_DOWN_SECONDS
    try:
        seconds = float(retry_after) if retry_after is not None else short
    except ValueError:
        return short
    if isnan(seconds):
        return short
    return min(max(seconds, 0.0), WAIT_SECONDS_MAX)
