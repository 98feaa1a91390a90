"""A key that lets a caller in, as it is kept: everything but the key itself."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Scope(StrEnum):
    """What a key opens: pushing data, which reading comes with, or reading where reads are closed."""

    INGEST = "ingest"
    READ = "read"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`prefix`: what the key begins with, which is no secret and names it. `digest`: SHA-256 of the whole key, in hex.

    `expires_at` None: it does not end by itself.
    """

    prefix: str
    name: str
    scope: Scope
    digest: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_good(self, now: datetime) -> bool:
        """Whether it still lets anybody in."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def opens(self, scope: Scope) -> bool:
        """Whether it is a key to that door."""
        return self.scope in {scope, Scope.INGEST}
