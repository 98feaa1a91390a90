"""Who may come in, and how often: asked of every request before it is answered. Called by http_function.

A door asks for one of: nothing (public reads); a key that reads or a logged-in user, where reads are closed; a key that
pushes; the operator's secret. Wherever a secret is asked for and none is set, the door is closed but on one's own
machine.
"""

import hmac
from collections.abc import Mapping, Sequence
from enum import Enum
from hashlib import sha256
from ipaddress import ip_address, ip_network
from typing import Any

from msgspec import Struct

from marketdata.errors import StoreError, Throttled, Unauthorized
from marketdata.jobs.known_keys import KnownKeys
from marketdata.jobs.known_users import KnownUsers, looks_like_a_token
from marketdata.jobs.limit_requests import Policy, RequestLimits, Standing
from marketdata.model.api_key import Scope
from marketdata.serve.access import bearer_token, require_key
from marketdata.serve.gateway_events import header
from marketdata.serve.rate_limit_headers import rate_limit_headers
from marketdata.serve.viewer_address import viewer_address

# Answered to whoever asks, whatever is closed: load balancers and monitors carry no key.
ALWAYS_OPEN = ("/v1/health/", "/api/v1/health/", "/health")


class Door(Enum):
    """What a function's requests must bring."""

    READ = "read"
    INGEST = "ingest"
    CRON = "cron"


class Secrets(Struct, frozen=True):
    """What is set from outside; `local`: this is one's own machine, where a door without a secret is open."""

    local: bool
    public_reads: bool = True
    ingest_keys: Sequence[str] = ()
    cron_secret: str | None = None
    edge_secret: str | None = None


class Admitted(Struct, frozen=True):
    """`caller` names who asks, no secret and the same for the same key; "" is anybody. `headers` tell the quota."""

    caller: str
    headers: Mapping[str, str]


class FrontDoor:
    """The way in to one function. `policy` None: nobody is counted."""

    def __init__(
        self,
        door: Door,
        secrets: Secrets,
        *,
        keys: KnownKeys,
        users: KnownUsers,
        limits: RequestLimits,
        policy: Policy | None,
    ) -> None:
        self._door = door
        self._secrets = secrets
        self._keys = keys
        self._users = users
        self._limits = limits
        self._policy = policy

    def admit(self, event: Mapping[str, Any]) -> Admitted:
        """Let a request in. Raises: Unauthorized, SettingsInvalid, Throttled; StoreError while keys cannot be asked."""
        if _is_preflight(event) or _path(event).startswith(ALWAYS_OPEN):
            return Admitted("", {})
        presented = self._presented(event)
        address = f"address:{_network(viewer_address(event, self._secrets.edge_secret))}"
        known = self._recognise(presented)
        if known is not None:
            return Admitted(known, self._count(known))
        # Counted before the look-up, so that guessing keys is no way to keep the store busy.
        headers = self._count(address)
        caller = self._look_up(presented)
        return Admitted(caller, self._count(caller) if caller else headers)

    def _presented(self, event: Mapping[str, Any]) -> str | None:
        token = bearer_token(header(event, "authorization"))
        return token if self._door is Door.CRON else header(event, "x-api-key") or token

    def _recognise(self, presented: str | None) -> str | None:
        """The caller, if that can be told without asking anybody."""
        if not presented or self._door is Door.CRON:
            return None
        if _is_one_of(presented, self._secrets.ingest_keys):
            return _name_of(presented)
        key = self._keys.recall(presented)
        return f"key:{key.prefix}" if key and key.opens(self._scope) else None

    @property
    def _scope(self) -> Scope:
        return Scope.INGEST if self._door is Door.INGEST else Scope.READ

    def _look_up(self, presented: str | None) -> str:
        if self._door is Door.CRON:
            secret = self._secrets.cron_secret
            require_key(
                presented, [secret] if secret else [], setting="CRON_SECRET", open_without_keys=self._secrets.local
            )
            return ""
        if presented and (key := self._keys.find(presented)) and key.opens(self._scope):
            return f"key:{key.prefix}"
        return self._read(presented) if self._door is Door.READ else self._push(presented)

    def _read(self, presented: str | None) -> str:
        if presented and looks_like_a_token(presented):
            try:
                return f"user:{self._users.subject(presented)}"
            except (Unauthorized, StoreError):
                # What anybody may read is read, whatever somebody's token is worth.
                if not self._secrets.public_reads:
                    raise
        if self._secrets.public_reads:
            return ""
        raise Unauthorized("reading needs a key, or the token of a user who is logged in")

    def _push(self, presented: str | None) -> str:
        """For whom none of the keys that are set was recognised."""
        kept = self._keys.are_there(Scope.INGEST)
        if kept and not self._secrets.ingest_keys:
            raise Unauthorized("no key, or not one of those that are kept here")
        require_key(
            presented,
            self._secrets.ingest_keys,
            setting="INGEST_API_KEYS",
            open_without_keys=self._secrets.local,
        )
        return ""

    def _count(self, name: str) -> dict[str, str]:
        if self._policy is None:
            return {}
        standing = self._limits.take(name, self._policy)
        headers = _headers(standing)
        if not standing.allowed:
            raise Throttled(standing.reset_seconds, self._policy.quota, self._policy.window_seconds, headers)
        return headers


def _path(event: Mapping[str, Any]) -> str:
    return str(event["rawPath"])


def _is_preflight(event: Mapping[str, Any]) -> bool:
    return bool(event["requestContext"]["http"]["method"] == "OPTIONS")


def _is_one_of(presented: str, keys: Sequence[str]) -> bool:
    """Every key is compared, by digests of one length, so the time taken tells nothing of any."""
    digest = sha256(presented.encode()).digest()
    matches = [hmac.compare_digest(digest, sha256(key.encode()).digest()) for key in keys]
    return any(matches)


def _name_of(key: str) -> str:
    return f"key:{sha256(key.encode()).hexdigest()[:16]}"


def _network(viewer: str) -> str:
    """What is counted as one: an address; of IPv6 the network, which one host has whole."""
    try:
        address = ip_address(viewer)
    except ValueError:
        return "unknown"
    return str(address if address.version == 4 else ip_network((address, 64), strict=False).network_address)


def _headers(standing: Standing) -> dict[str, str]:
    return rate_limit_headers(
        policy=standing.policy.name,
        quota=standing.policy.quota,
        window_seconds=standing.policy.window_seconds,
        left=standing.left,
        reset_seconds=standing.reset_seconds,
    )
