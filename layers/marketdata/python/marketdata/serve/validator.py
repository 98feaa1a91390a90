"""Which copies of an answer are still good: strong validators made of what the answer says, and how long to keep one.

Source: RFC 9110, sections 8.8.3 (ETag) and 13.1.2 (If-None-Match); RFC 9111 (Cache-Control).
"""

import base64
from datetime import datetime, timedelta
from hashlib import sha256

from marketdata.model.timeframe import Timeframe
from marketdata.serve.condition import AVAILABLE, Condition

PAST_AFTER = timedelta(days=1)
"""Time that ended so long ago is not expected to change; a repair may change it still."""

_REVALIDATED = 0
_A_DAY = 86_400
_A_WEEK = 7 * _A_DAY
_LIFETIMES = {str(seconds): seconds for seconds in (_REVALIDATED, _A_DAY, _A_WEEK)}
_LONG = 240
_DIGEST_CHARACTERS = 24


def fingerprint(*facts: str) -> str:
    """One word for everything that a body depends on: equal words, equal bodies."""
    digest = sha256("\n".join(facts).encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:_DIGEST_CHARACTERS]


def lifetime(end: datetime | None, timeframe: Timeframe, condition: Condition, now: datetime) -> int:
    """For how many seconds a copy may be used unasked: for none unless its time is past, and all of it is held.

    `end` is where the question ends; None is the live edge. Coarse candles change less.
    """
    if end is None or end > now - PAST_AFTER or condition.name != AVAILABLE or condition.coverage != 1:
        return _REVALIDATED
    return _A_WEEK if timeframe.minutes >= _LONG else _A_DAY


def etag(word: str, seconds: int) -> str:
    """The strong validator. It names the lifetime, so that a 304 can say it again without looking at a row."""
    return f'"{word}.{seconds}"'


def held_lifetime(if_none_match: str | None, word: str) -> int | None:
    """The lifetime of the caller's copy, if it has the one of that word; None if it has another, or none.

    `*` is any copy there may be.
    """
    if if_none_match is not None and if_none_match.strip() == "*":
        return _REVALIDATED
    for given in (if_none_match or "").split(","):
        tag = given.strip().removeprefix("W/").strip('"')
        held, dot, seconds = tag.rpartition(".")
        if dot and held == word and seconds in _LIFETIMES:
            return _LIFETIMES[seconds]
    return None


def cache_control(seconds: int) -> str:
    """`no-cache` asks to be asked each time, which a 304 answers; it does not forbid to keep a copy."""
    return f"max-age={seconds}" if seconds else "no-cache"
