"""Whether a caller may come in: keys compared in constant time, and doors that are closed while no key is set."""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from marketdata.errors import SettingsInvalid, Unauthorized

_BEARER = "bearer "


def require_key(presented: str | None, keys: Sequence[str], *, setting: str, open_without_keys: bool) -> None:
    """Let the bearer of one of `keys` in.

    Without any key set the door is open where `open_without_keys` (one's own machine), and closed elsewhere.
    Raises: Unauthorized; SettingsInvalid naming `setting` if the door is closed for want of a key.
    """
    if not keys:
        if open_without_keys:
            return
        raise SettingsInvalid({setting: "is not set, so this door is closed"})
    # Digests have one length, and every key is compared, so the time taken tells nothing of any key.
    digest = _digest(presented or "")
    matches = [hmac.compare_digest(digest, _digest(key)) for key in keys]
    if not any(matches):
        raise Unauthorized("no key, or not one of those set here")


def bearer_token(authorization: str | None) -> str | None:
    """The token of an `Authorization: Bearer ...` header."""
    if authorization is None or authorization[: len(_BEARER)].lower() != _BEARER:
        return None
    return authorization[len(_BEARER) :].strip()


def _digest(key: str) -> bytes:
    return sha256(key.encode()).digest()
