"""Keys and quotas in the in-memory store."""

import re
from dataclasses import replace
from datetime import datetime

from marketdata.clock import Clock
from marketdata.model.api_key import ApiKey
from marketdata.store.access import Grant
from marketdata.store.memory_answers import MemoryAnswers
from marketdata.store.memory_base import refuse
from marketdata.store.quota_book import MemoryQuotas

QUOTA_MAX = 1_000_000
WINDOW_SECONDS_MAX = 86_400
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


class MemoryAccess(MemoryAnswers):
    """The part of the Store protocol that is about those who come to the API."""

    def __init__(self, clock: Clock | None) -> None:
        super().__init__(clock)
        self._keys: dict[str, ApiKey] = {}
        self._quotas = MemoryQuotas(self._seconds)

    def add_key(self, key: ApiKey) -> bool:
        """See Store. Raises: StoreError for one that cannot be."""
        refuse("add_key", [key_refused(key)])
        with self._lock:
            return self._keys.setdefault(key.prefix, key).digest == key.digest

    def keys(self) -> list[ApiKey]:
        """See Store."""
        with self._lock:
            return sorted(self._keys.values(), key=lambda key: (key.created_at, key.prefix))

    def find_key(self, prefix: str) -> ApiKey | None:
        """See Store."""
        with self._lock:
            return self._keys.get(prefix)

    def revoke_key(self, prefix: str, *, now: datetime) -> bool:
        """See Store."""
        with self._lock:
            key = self._keys.get(prefix)
            if key is not None and key.revoked_at is None:
                self._keys[prefix] = replace(key, revoked_at=now)
            return key is not None

    def take_quota(self, name: str, *, quota: int, window_seconds: int, wanted: int = 1) -> Grant:
        """See Store. Raises: StoreError for a quota of nothing."""
        refuse("take_quota", [quota_refused(name, quota, window_seconds, wanted)])
        return self._quotas.take_quota(name, quota=quota, window_seconds=window_seconds, wanted=wanted)

    def _seconds(self) -> float:
        return self._own_clock.now().timestamp()


def key_refused(key: ApiKey) -> str | None:
    """Why the database would not take a key."""
    if not 0 < len(key.prefix) <= 40 or not 0 < len(key.name) <= 100 or not _DIGEST.fullmatch(key.digest):
        return "a key has a prefix, a name and the digest of all of it"
    if key.expires_at is not None and key.expires_at <= key.created_at:
        return "a key lives for a time"
    return None


def quota_refused(name: str, quota: int, window_seconds: int, wanted: int) -> str | None:
    """Why the database would not count so."""
    if not 0 < len(name) <= 200 or not 1 <= quota <= QUOTA_MAX or not 1 <= wanted <= QUOTA_MAX:
        return f"quota and wanted: above zero, at most {QUOTA_MAX}, of a name"
    return None if 1 <= window_seconds <= WINDOW_SECONDS_MAX else f"a window has at most {WINDOW_SECONDS_MAX} seconds"
