"""Whose tokens are believed: those that this project signed, for logged-in users, now."""

import base64
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from marketdata.clock import FakeClock
from marketdata.errors import StoreError, Unauthorized
from marketdata.jobs.known_users import (
    KEYS_ASKED_EVERY,
    KEYS_KEPT_FOR,
    KEYS_KNOWN_FOR,
    KEYS_MISSED_FOR,
    KnownUsers,
    looks_like_a_token,
)

from tests.market import at

ISSUER = "https://project.supabase.co/auth/v1"
SECRET = "a-shared-secret-of-more-than-thirty-two-bytes"
CURVE, STRANGER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
NOON = at("12:00")
CLAIMS: dict[str, Any] = {
    "sub": "user-1",
    "aud": "authenticated",
    "iss": ISSUER,
    "role": "authenticated",
    "exp": int((NOON + timedelta(hours=1)).timestamp()),
}


def described(key: Any, kid: str, algorithm: str) -> dict[str, Any]:
    """A public key as the project's JWKS has it."""
    algorithms: dict[str, Any] = {"ES256": jwt.algorithms.ECAlgorithm, "RS256": jwt.algorithms.RSAAlgorithm}
    return {**json.loads(algorithms[algorithm].to_jwk(key.public_key())), "kid": kid, "alg": algorithm, "use": "sig"}


class Project:
    """The project's public keys, and how often they were asked for."""

    def __init__(self) -> None:
        self.keys = [described(CURVE, "curve", "ES256"), described(RSA, "rsa", "RS256")]
        self.asked = 0
        self.is_down = False

    def fetch(self) -> bytes:
        self.asked += 1
        if self.is_down:
            raise StoreError("user keys", "is down")
        return json.dumps({"keys": self.keys}).encode()


@pytest.fixture
def project() -> Project:
    return Project()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def users(project: Project, clock: FakeClock) -> KnownUsers:
    return KnownUsers(ISSUER, project.fetch, None, clock)


def token(key: Any = CURVE, kid: str = "curve", algorithm: str = "ES256", **changes: Any) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid})


def forged(header: dict[str, Any], signature: str = "") -> str:
    """A token that nobody signed."""
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, CLAIMS))
    return ".".join([*parts, signature])


@pytest.mark.parametrize(("key", "kid", "algorithm"), [(CURVE, "curve", "ES256"), (RSA, "rsa", "RS256")])
def test_a_user_of_the_project_is_known_by_its_public_keys(
    users: KnownUsers, key: Any, kid: str, algorithm: str
) -> None:
    assert users.subject(token(key, kid, algorithm)) == "user-1"


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int((NOON - timedelta(minutes=1)).timestamp())},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"nbf": int((NOON + timedelta(minutes=1)).timestamp())},
        {"aud": "anon"},
        {"aud": None},
        {"iss": "https://other.supabase.co/auth/v1"},
        {"iss": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 101},
    ],
)
def test_a_token_of_another_time_audience_issuer_or_of_nobody_is_refused(
    users: KnownUsers, changes: dict[str, Any]
) -> None:
    with pytest.raises(Unauthorized):
        users.subject(token(**changes))


def test_a_clock_that_is_a_little_apart_is_forgiven(users: KnownUsers) -> None:
    assert users.subject(token(exp=int((NOON - timedelta(seconds=20)).timestamp()))) == "user-1"


def test_a_stranger_s_signature_under_our_key_s_name_is_refused(users: KnownUsers) -> None:
    with pytest.raises(Unauthorized):
        users.subject(token(STRANGER))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", "HS256", "ES384", None, 1])
@pytest.mark.parametrize("secret", [None, SECRET])
def test_what_is_not_signed_at_all_is_refused(project: Project, clock: FakeClock, algorithm: Any, secret: Any) -> None:
    users = KnownUsers(ISSUER, project.fetch, secret, clock)
    for signature in ("", "AAAA"):
        with pytest.raises(Unauthorized):
            users.subject(forged({"alg": algorithm, "kid": "curve", "typ": "JWT"}, signature))


@pytest.mark.parametrize("secret", [None, SECRET])
def test_a_public_key_is_no_shared_secret(project: Project, clock: FakeClock, secret: str | None) -> None:
    """The confusion of algorithms: HS256 with the public key, which everybody has, as the secret."""
    users = KnownUsers(ISSUER, project.fetch, secret, clock)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = CURVE.public_key().public_bytes(serialization.Encoding.PEM, form)
    # PyJWT refuses to sign so; whoever forges does not ask it.
    signer = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    unsigned = forged({"alg": "HS256", "kid": "curve", "typ": "JWT"})[:-1]
    signature = base64.urlsafe_b64encode(signer.sign(unsigned.encode(), public)).decode().rstrip("=")
    with pytest.raises(Unauthorized):
        users.subject(f"{unsigned}.{signature}")


def test_a_key_of_one_kind_verifies_no_token_that_says_another(users: KnownUsers) -> None:
    with pytest.raises(Unauthorized):
        users.subject(token(CURVE, "rsa", "ES256"))


def test_a_secret_in_the_public_document_is_no_key(project: Project, clock: FakeClock) -> None:
    project.keys = [{"kty": "oct", "kid": "shared", "alg": "HS256", "k": "YWFh"}, {"kty": "EC", "kid": "bad"}]
    with pytest.raises(Unauthorized):
        KnownUsers(ISSUER, project.fetch, None, clock).subject(token(b"aaa" * 20, "shared", "HS256"))


def test_the_shared_secret_of_an_older_project_is_taken_where_it_is_set(project: Project, clock: FakeClock) -> None:
    older = KnownUsers(ISSUER, project.fetch, SECRET, clock)
    assert older.subject(token(SECRET, "any", "HS256")) == "user-1"
    with pytest.raises(Unauthorized):
        older.subject(token("another-secret-of-more-than-thirty-two-bytes", "any", "HS256"))
    with pytest.raises(Unauthorized):
        KnownUsers(ISSUER, project.fetch, None, clock).subject(token(SECRET, "any", "HS256"))
    assert project.asked == 0


def test_the_keys_are_asked_for_once_in_a_while_and_a_new_one_is_found_soon(
    users: KnownUsers, project: Project, clock: FakeClock
) -> None:
    for _ in range(5):
        users.subject(token())
    assert project.asked == 1
    project.keys.append(described(STRANGER, "new", "ES256"))
    for _ in range(5):
        with pytest.raises(Unauthorized):
            users.subject(token(STRANGER, "new"))
    assert project.asked == 1
    clock.advance(KEYS_ASKED_EVERY)
    assert users.subject(token(STRANGER, "new")) == "user-1"
    assert project.asked == 2
    clock.advance(KEYS_KNOWN_FOR)
    users.subject(token())
    assert project.asked == 3


def test_while_the_keys_cannot_be_had_nobody_is_refused_for_good_and_few_wait(
    users: KnownUsers, project: Project, clock: FakeClock
) -> None:
    project.is_down = True
    for _ in range(3):
        with pytest.raises(StoreError):
            users.subject(token())
    assert project.asked == 1
    project.is_down = False
    clock.advance(KEYS_MISSED_FOR)
    assert users.subject(token()) == "user-1"


def test_known_keys_serve_for_an_hour_while_the_project_does_not_answer(
    users: KnownUsers, project: Project, clock: FakeClock
) -> None:
    users.subject(token())
    project.is_down = True
    clock.advance(KEYS_KEPT_FOR)
    later = token(exp=int((clock.now() + timedelta(hours=2)).timestamp()))
    assert users.subject(later) == "user-1"
    clock.advance(timedelta(seconds=1))
    with pytest.raises(StoreError):
        users.subject(later)


@pytest.mark.parametrize(
    ("presented", "looks"),
    [(forged({"alg": "none"}), True), ("a.b", False), ("a b.c.d", False), ("mde_1_x", False), ("a." * 5000, False)],
)
def test_only_what_looks_like_a_token_is_worth_the_look(presented: str, looks: bool) -> None:
    assert looks_like_a_token(presented) is looks
