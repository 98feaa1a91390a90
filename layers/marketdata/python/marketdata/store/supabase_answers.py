"""Kept answers in the Supabase store: the arguments and answers of the database's functions for them."""

from datetime import datetime

from marketdata.store.kept_answers import KeptAnswer
from marketdata.store.patient_client import PatientClient
from marketdata.store.wire import time_text


class SupabaseAnswers:
    """The part of the Store protocol that is about kept answers."""

    _client: PatientClient

    def recall_answer(self, caller: str, key: str, *, now: datetime) -> KeptAnswer | None:
        """See Store."""
        arguments = {"p_caller": caller, "p_key": key, "p_now": time_text(now)}
        found = self._client.call("recall_answer", "recall_answer_v1", arguments, list[KeptAnswer])
        return found[0] if found else None

    def keep_answer(self, caller: str, key: str, answer: KeptAnswer, *, now: datetime) -> KeptAnswer:
        """See Store."""
        arguments = {
            "p_caller": caller,
            "p_key": key,
            "p_fingerprint": answer.fingerprint,
            "p_answer": answer.answer,
            "p_now": time_text(now),
        }
        (kept,) = self._client.call("keep_answer", "keep_answer_v1", arguments, tuple[KeptAnswer])
        return kept
