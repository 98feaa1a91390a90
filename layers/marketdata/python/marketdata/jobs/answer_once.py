"""Answer a request that carries a key of its own once: whoever sends it again hears the same. See functions/ingest.

The work itself may be repeated safely, so that a crash between work and answer costs nothing: then it is done again.
"""

from collections.abc import Callable
from datetime import datetime
from hashlib import sha256

from marketdata.errors import KeyReused, RequestInvalid
from marketdata.store.kept_answers import AnswerStore, KeptAnswer

KEY_CHARACTERS_MAX = 255


def answer_once(
    store: AnswerStore, now: datetime, key: str | None, request: tuple[str, str, bytes], work: Callable[[], str]
) -> tuple[str, bool]:
    """What `work` answers, or what it answered a day ago at most; and whether that was so.

    `request` is who asks (their secret, of which a digest alone is kept), for what, and the body. Raises: KeyReused for
    a key that came with another request; RequestInvalid for what cannot be a key; whatever `work` raises, and then
    nothing is kept.
    """
    if key is None:
        return work(), False
    if not 0 < len(key) <= KEY_CHARACTERS_MAX or not all("!" <= character <= "~" for character in key):
        raise RequestInvalid("Idempotency-Key", f"must have 1 to {KEY_CHARACTERS_MAX} characters without blanks")
    caller, path, body = request
    name, fingerprint = _digest(caller.encode()), _digest(path.encode() + b"\n" + body)
    kept = store.recall_answer(name, key, now=now)
    if kept is not None:
        return _same(kept, fingerprint), True
    kept = store.keep_answer(name, key, KeptAnswer(fingerprint, work()), now=now)
    return _same(kept, fingerprint), False


def _same(kept: KeptAnswer, fingerprint: str) -> str:
    if kept.fingerprint != fingerprint:
        raise KeyReused("Idempotency-Key", "came with another request before; a new request needs a new key")
    return kept.answer


def _digest(said: bytes) -> str:
    return sha256(said).hexdigest()
