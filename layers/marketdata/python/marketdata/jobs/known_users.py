"""Logged-in users of the Supabase project: their access tokens (JWT), verified here without asking anybody.

Tokens are signed by the project's own key pair (its public keys are at /auth/v1/.well-known/jwks.json), or by the
secret of older projects if that is set here. Which algorithm a key is for is told by the kind of key that we hold, and
never by the token: a public key is no HS256 secret, and `none` is no signature.
PyJWT and cryptography are imported with the first token, because a cold start should not pay for them.
Source: https://supabase.com/docs/guides/auth/signing-keys
"""

import logging
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import msgspec

from marketdata.clock import Clock
from marketdata.errors import StoreError, Unauthorized

logger = logging.getLogger(__name__)

AUDIENCE = "authenticated"
ASYMMETRIC = ("ES256", "RS256", "EdDSA")
SHARED = "HS256"
TOKEN_CHARACTERS_MAX = 8_192
KEYS_MAX = 16
KEYS_KNOWN_FOR = timedelta(minutes=10)
"""As long as Supabase's own edge keeps them; a key that was withdrawn lets in for so long."""
KEYS_ASKED_EVERY = timedelta(minutes=1)
"""A token of an unknown key asks for the keys anew, but not every token."""
KEYS_MISSED_FOR = timedelta(seconds=5)
"""So long nobody asks again for keys that could not be had: else each token would wait for them."""
KEYS_KEPT_FOR = timedelta(hours=1)
"""So long the keys that are known serve while new ones cannot be had."""
LEEWAY = timedelta(seconds=30)
"""How far the clocks of the one who signs and of us may be apart."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", re.ASCII)
_SUBJECT_CHARACTERS_MAX = 100


def looks_like_a_token(presented: str) -> bool:
    """Whether it is worth the look: three parts between dots."""
    return len(presented) <= TOKEN_CHARACTERS_MAX and _TOKEN.fullmatch(presented) is not None


class KnownUsers:
    """Verifies tokens of `issuer`. `fetch_keys` answers the public keys (a JWKS); `secret` is that of older projects.

    Safe to share between threads.
    """

    def __init__(self, issuer: str, fetch_keys: Callable[[], bytes], secret: str | None, clock: Clock) -> None:
        self._issuer = issuer
        self._fetch_keys = fetch_keys
        self._secret = secret
        self._clock = clock
        self._lock = Lock()
        self._keys: Mapping[str, Any] = {}
        self._asked_at: datetime | None = None
        self._fetched_at: datetime | None = None

    def subject(self, token: str) -> str:
        """Who the token speaks of. Raises: Unauthorized; StoreError if the public keys cannot be had."""
        import jwt  # noqa: PLC0415 - see above

        try:
            header = jwt.get_unverified_header(token)
            key, algorithm = self._key(jwt, header)
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=AUDIENCE,
                issuer=self._issuer,
                # Judged below, on our own clock.
                options={
                    "require": ["exp", "aud", "iss", "sub"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.PyJWTError as error:
            raise Unauthorized("the token is not one of a user who is logged in here") from error
        return self._judge(claims)

    def _judge(self, claims: Mapping[str, Any]) -> str:
        now = self._clock.now().timestamp()
        expires, begins, subject = claims["exp"], claims.get("nbf", 0), claims["sub"]
        if not all(isinstance(time, int | float) and not isinstance(time, bool) for time in (expires, begins)):
            raise Unauthorized("the token says no time")
        if now >= expires + LEEWAY.total_seconds() or now < begins - LEEWAY.total_seconds():
            raise Unauthorized("the token has ended, or not begun: log in again")
        if not isinstance(subject, str) or not 0 < len(subject) <= _SUBJECT_CHARACTERS_MAX:
            raise Unauthorized("the token is of nobody")
        return subject

    def _key(self, jwt: Any, header: Mapping[str, Any]) -> tuple[Any, str]:
        """The key to verify with, and the one algorithm that it is for. Raises: Unauthorized, StoreError."""
        algorithm, name = header.get("alg"), header.get("kid")
        if algorithm == SHARED and self._secret:
            return self._secret, SHARED
        if algorithm in ASYMMETRIC and isinstance(name, str):
            key = self._public_keys(jwt, name).get(name)
            if key is not None and key.algorithm_name == algorithm:
                return key, algorithm
        raise Unauthorized("the token is signed by no key of this project")

    def _public_keys(self, jwt: Any, wanted: str) -> Mapping[str, Any]:
        with self._lock:
            now = self._clock.now()
            if self._is_due(wanted, now):
                self._asked_at = now
                self._refresh(jwt, now)
            if self._fetched_at is None or now - self._fetched_at > KEYS_KEPT_FOR:
                raise StoreError("user keys", "could not be had a moment ago")
            return self._keys

    def _is_due(self, wanted: str, now: datetime) -> bool:
        if self._fetched_at is None:
            return self._asked_at is None or now - self._asked_at >= KEYS_MISSED_FOR
        assert self._asked_at is not None
        stale = now - self._fetched_at >= KEYS_KNOWN_FOR or wanted not in self._keys
        return stale and now - self._asked_at >= KEYS_ASKED_EVERY

    def _refresh(self, jwt: Any, now: datetime) -> None:
        try:
            self._keys, self._fetched_at = _read_keys(jwt, self._fetch_keys()), now
        except StoreError as error:
            # Keys live for months: those that are known serve while the project does not answer.
            logger.warning("the keys of the project's users cannot be had", extra={"reason": error.reason})


class _KeySet(msgspec.Struct):
    keys: list[dict[str, Any]]


def _read_keys(jwt: Any, document: bytes) -> Mapping[str, Any]:
    """The keys to verify with, by name; one that we cannot read is another's business. Raises: StoreError."""
    try:
        described = msgspec.json.decode(document, type=_KeySet).keys[:KEYS_MAX]
    except msgspec.DecodeError as error:
        raise StoreError("user keys", "what was answered is no set of keys") from error
    # A secret ("oct") in a public document is no secret.
    asymmetric = [
        one for one in described if one.get("kty") in {"EC", "RSA", "OKP"} and isinstance(one.get("kid"), str)
    ]
    read: dict[str, Any] = {}
    for one in asymmetric:
        try:
            read[one["kid"]] = jwt.PyJWK(one)
        except jwt.PyJWTError:
            continue
    return read
