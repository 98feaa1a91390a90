"""The secrets of one local Supabase: made once for a folder, kept there in a file that only its owner may read."""

import base64
import hmac
import json
import os
import secrets
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

# 2100-01-01: the keys of a folder live as long as the folder.
_KEYS_EXPIRE_AT = 4_102_444_800


@dataclass(frozen=True, slots=True)
class SupabaseKeys:
    """What opens the local Supabase. `anon` and `service` are tokens, `publishable` and `secret` their successors."""

    jwt_secret: str
    anon: str
    service: str
    publishable: str
    secret: str
    postgres_password: str
    authenticator_password: str

    def role_of(self, key: str) -> str | None:
        """The role that an API key stands for; None if it is not one of ours. Takes the same time for any key."""
        roles = {"anon": (self.anon, self.publishable), "service_role": (self.service, self.secret)}
        matches = [role for role, keys in roles.items() for known in keys if _same(key, known)]
        return matches[0] if matches else None

    def is_token(self, key: str) -> bool:
        """Whether PostgREST itself understands the key."""
        return _same(key, self.anon) | _same(key, self.service)


def read_or_make_keys(path: Path) -> SupabaseKeys:
    """The keys kept in `path`, made there if there are none yet."""
    if not path.exists():
        _write_privately(path, json.dumps(asdict(make_keys()), indent=2))
    return SupabaseKeys(**json.loads(path.read_text(encoding="utf-8")))


def make_keys() -> SupabaseKeys:
    """New random keys."""
    jwt_secret = secrets.token_urlsafe(48)
    return SupabaseKeys(
        jwt_secret=jwt_secret,
        anon=sign_role("anon", jwt_secret, _KEYS_EXPIRE_AT),
        service=sign_role("service_role", jwt_secret, _KEYS_EXPIRE_AT),
        publishable=f"sb_publishable_{secrets.token_urlsafe(24)}",
        secret=f"sb_secret_{secrets.token_urlsafe(24)}",
        postgres_password=secrets.token_urlsafe(24),
        authenticator_password=secrets.token_urlsafe(24),
    )


def sign_role(role: str, jwt_secret: str, expires_at: int) -> str:
    """A token (JWT, HS256) that lets PostgREST act as `role` until `expires_at`, in seconds since the epoch."""
    header = _base64url(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    claims = _base64url(json.dumps({"iss": "supabase", "role": role, "exp": expires_at}).encode())
    signature = hmac.new(jwt_secret.encode(), header + b"." + claims, sha256).digest()
    return b".".join((header, claims, _base64url(signature))).decode()


def _base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode("utf-8", "surrogateescape"))


def _write_privately(path: Path, text: str) -> None:
    """Write whole or not at all, readable by the owner alone from the first byte on."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    fresh.rename(path)
