"""Keys and quotas in the Supabase store: the arguments and answers of the database's functions for them."""

from dataclasses import replace
from datetime import datetime

from marketdata.model.api_key import ApiKey
from marketdata.store.access import Grant
from marketdata.store.patient_client import PatientClient
from marketdata.store.wire import in_utc, time_text


class SupabaseAccess:
    """The part of the Store protocol that is about those who come to the API."""

    _client: PatientClient
    _hasty_client: PatientClient

    def add_key(self, key: ApiKey) -> bool:
        """See Store."""
        arguments = {
            "p_prefix": key.prefix,
            "p_name": key.name,
            "p_scope": key.scope,
            "p_digest": key.digest,
            "p_created_at": time_text(key.created_at),
            "p_expires_at": time_text(key.expires_at),
        }
        return self._client.call("add_key", "add_api_key_v1", arguments, bool)

    def keys(self) -> list[ApiKey]:
        """See Store."""
        return self._keys(None)

    def find_key(self, prefix: str) -> ApiKey | None:
        """See Store."""
        return next(iter(self._keys(prefix)), None)

    def revoke_key(self, prefix: str, *, now: datetime) -> bool:
        """See Store."""
        arguments = {"p_prefix": prefix, "p_now": time_text(now)}
        return self._client.call("revoke_key", "revoke_api_key_v1", arguments, bool)

    def take_quota(self, name: str, *, quota: int, window_seconds: int, wanted: int = 1) -> Grant:
        """See Store. Asked once and not for long: a caller waits for it."""
        arguments = {"p_name": name, "p_quota": quota, "p_window_seconds": window_seconds, "p_wanted": wanted}
        return self._hasty_client.call("take_quota", "take_quota_v1", arguments, Grant)

    def _keys(self, prefix: str | None) -> list[ApiKey]:
        found = self._client.call("keys", "get_api_keys_v1", {"p_prefix": prefix}, list[ApiKey])
        return [
            replace(
                key,
                created_at=in_utc(key.created_at),
                expires_at=in_utc(key.expires_at),
                revoked_at=in_utc(key.revoked_at),
            )
            for key in found
        ]
