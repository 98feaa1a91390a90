"""What a store knows of those who come to the API: their keys, and how much each has asked. Part of Store."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from marketdata.model.api_key import ApiKey


@dataclass(frozen=True, slots=True)
class Grant:
    """So many requests may be made; so many are left to others of the same name until `reset_seconds` are over."""

    granted: int
    left: int
    reset_seconds: float


class QuotaBook(Protocol):
    """Counts requests by the name of whoever makes them."""

    def take_quota(self, name: str, *, quota: int, window_seconds: int, wanted: int = 1) -> Grant:
        """Take up to `wanted` of the `quota` requests of a window, which begins with its first request. One step.

        Answered soon or not at all.
        """
        ...


class AccessStore(QuotaBook, Protocol):
    """Keys by their prefix, and quotas."""

    def add_key(self, key: ApiKey) -> bool:
        """Add a key; False, and nothing is changed, if its prefix is another's."""
        ...

    def keys(self) -> list[ApiKey]:
        """The first 10,000 keys there are, oldest first."""
        ...

    def find_key(self, prefix: str) -> ApiKey | None:
        """The key of that prefix, good or not."""
        ...

    def revoke_key(self, prefix: str, *, now: datetime) -> bool:
        """End a key for good; False if there is none."""
        ...
