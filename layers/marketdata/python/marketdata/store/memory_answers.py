"""Kept answers in the in-memory store."""

from datetime import datetime

from marketdata.clock import Clock
from marketdata.store.kept_answers import KEPT_FOR, KeptAnswer
from marketdata.store.memory_snapshots import MemorySnapshots


class MemoryAnswers(MemorySnapshots):
    """The part of the Store protocol that is about kept answers."""

    def __init__(self, clock: Clock | None) -> None:
        super().__init__(clock)
        self._answers: dict[tuple[str, str], tuple[datetime, KeptAnswer]] = {}

    def recall_answer(self, caller: str, key: str, *, now: datetime) -> KeptAnswer | None:
        """See Store."""
        with self._lock:
            kept_at, answer = self._answers.get((caller, key), (None, None))
            return answer if kept_at is not None and kept_at >= now - KEPT_FOR else None

    def keep_answer(self, caller: str, key: str, answer: KeptAnswer, *, now: datetime) -> KeptAnswer:
        """See Store."""
        with self._lock:
            for old in [one for one, (kept_at, _) in self._answers.items() if kept_at < now - KEPT_FOR]:
                del self._answers[old]
            return self._answers.setdefault((caller, key), (now, answer))[1]
