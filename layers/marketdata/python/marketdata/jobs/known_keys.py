"""Which keys of the store let callers in: looked up by what they begin with, and known for a few seconds."""

import hmac
import re
import secrets
from collections import OrderedDict
from datetime import datetime, timedelta
from hashlib import sha256

from marketdata.clock import Clock
from marketdata.errors import RequestInvalid
from marketdata.model.api_key import ApiKey, Scope
from marketdata.store.access import AccessStore

KNOWN_FOR = timedelta(seconds=15)
"""So long a revoked key may still let somebody in, and so long nobody asks again for one that there is not."""
KNOWN_MAX = 1_000
NAME_CHARACTERS_MAX = 100

_KEY = re.compile(r"(mde_[0-9a-f]{12})_[A-Za-z0-9_-]{43}", re.ASCII)
_NOBODY = sha256(b"").hexdigest()


def new_key(name: str, scope: Scope, now: datetime, expires_at: datetime | None = None) -> tuple[str, ApiKey]:
    """A key of 256 random bits, and what is kept of it. Raises: RequestInvalid."""
    if not 0 < len(name) <= NAME_CHARACTERS_MAX:
        raise RequestInvalid("name", f"must have 1 to {NAME_CHARACTERS_MAX} characters")
    if expires_at is not None and expires_at <= now:
        raise RequestInvalid("expires", "must be later than now")
    prefix = f"mde_{secrets.token_hex(6)}"
    key = f"{prefix}_{secrets.token_urlsafe(32)}"
    return key, ApiKey(prefix, name, scope, _digest(key), now, expires_at)


class KnownKeys:
    """The keys of a store, as asked for lately; at most KNOWN_MAX of them."""

    def __init__(self, store: AccessStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: OrderedDict[str, tuple[datetime, ApiKey | None]] = OrderedDict()
        self._all: tuple[ApiKey, ...] = ()
        self._asked_at: datetime | None = None

    def recall(self, presented: str) -> ApiKey | None:
        """The good key that was presented, if it was lately too: nobody is asked."""
        prefix, now = _prefix(presented), self._clock.now()
        known_at, key = self._known.get(prefix or "", (None, None))
        return _matching(key, presented, now) if known_at is not None and now - known_at <= KNOWN_FOR else None

    def find(self, presented: str) -> ApiKey | None:
        """The good key that was presented; None if it is none. Raises: StoreError."""
        prefix, now = _prefix(presented), self._clock.now()
        if prefix is None:
            return None
        known_at, key = self._known.get(prefix, (None, None))
        if known_at is None or now - known_at > KNOWN_FOR:
            key = self._store.find_key(prefix)
            self._remember(prefix, now, key)
        return _matching(key, presented, now)

    def are_there(self, scope: Scope) -> bool:
        """Whether there ever was a key that opens `scope`: no door opens because keys end. Raises: StoreError."""
        now = self._clock.now()
        if self._asked_at is None or now - self._asked_at > KNOWN_FOR:
            self._all, self._asked_at = tuple(self._store.keys()), now
        return any(key.opens(scope) for key in self._all)

    def _remember(self, prefix: str, now: datetime, key: ApiKey | None) -> None:
        self._known[prefix] = (now, key)
        self._known.move_to_end(prefix)
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)


def _prefix(presented: str) -> str | None:
    match = _KEY.fullmatch(presented)
    return match[1] if match else None


def _matching(key: ApiKey | None, presented: str, now: datetime) -> ApiKey | None:
    # Compared even with nobody's digest, so that the time taken does not tell which prefixes there are.
    same = hmac.compare_digest(_digest(presented), key.digest if key else _NOBODY)
    return key if key is not None and same and key.is_good(now) else None


def _digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()
