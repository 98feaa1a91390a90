"""Answers kept for requests that carry a key of their own, so that one that is sent again is answered the same."""

from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct

KEPT_FOR = timedelta(days=1)


class KeptAnswer(Struct, frozen=True):
    """`fingerprint` is a digest of the request that was answered so: the key of another request is a mistake."""

    fingerprint: str
    answer: str


class AnswerStore(Protocol):
    """One answer of each caller and key, for a day. Part of Store."""

    def recall_answer(self, caller: str, key: str, *, now: datetime) -> KeptAnswer | None:
        """What was answered to that request; None if nothing was, or long ago."""
        ...

    def keep_answer(self, caller: str, key: str, answer: KeptAnswer, *, now: datetime) -> KeptAnswer:
        """Keep an answer unless there is one; what is kept now. Forgets some that are too old."""
        ...
