"""The composition root: the environment becomes settings, and settings become the real store.

The only place below the roof that reads the environment. Functions, the feed and the command line start here.
"""

import hmac
import os
from collections.abc import Mapping
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from marketdata.errors import SettingsInvalid
from marketdata.exchanges import coinbase
from marketdata.exchanges.registry import SIMULATED_SUFFIX

if TYPE_CHECKING:
    from marketdata.store.supabase import SupabaseStore


def _listed(text: object) -> object:
    """`a, b,` as ("a", "b")."""
    return tuple(part.strip() for part in text.split(",") if part.strip()) if isinstance(text, str) else text


def _upper(text: object) -> object:
    return text.upper() if isinstance(text, str) else text


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(_listed)]
Level = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+")]
WebSocketUrl = Annotated[str, Field(pattern=r"^wss?://[^\s/]+")]


class Settings(BaseModel):
    """Everything that is set from outside, each under the name of its environment variable."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    supabase_url: Url = Field(validation_alias=AliasChoices("SUPABASE_URL", "NEXT_PUBLIC_SUPABASE_URL"))
    supabase_key: SecretStr = Field(validation_alias=AliasChoices("SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_SECRET_KEY"))
    cron_secret: SecretStr | None = Field(default=None, validation_alias="CRON_SECRET")
    """What `Authorization: Bearer` must carry to run a job; without it the door is closed, but on one's own machine."""
    ingest_api_keys: Secrets = Field(default=(), validation_alias="INGEST_API_KEYS")
    """Who may push trades; without any the door is closed, but on one's own machine."""
    cursor_secret: SecretStr = Field(validation_alias="CURSOR_SECRET")
    """Signs cursors; without it, derived from the service key, so that every function signs alike."""
    local: bool = Field(default=False, validation_alias="MARKETDATA_LOCAL")
    log_level: Level = Field(default="INFO", validation_alias="LOG_LEVEL")
    feed_exchanges: Names = Field(default=(), validation_alias="FEED_EXCHANGES")
    """Which exchanges this feed follows; none named means every one that has active instruments."""
    coinbase_feed: Literal["exchange", "advanced"] = Field(default="exchange", validation_alias="COINBASE_FEED")
    coinbase_websocket_url: WebSocketUrl = Field(validation_alias="COINBASE_WEBSOCKET_URL")
    coinbase_rest_url: Url = Field(validation_alias="COINBASE_REST_URL")
    flush_seconds: float = Field(default=1.0, gt=0, le=60, validation_alias="FLUSH_SECONDS")
    keep_ticks: bool = Field(default=True, validation_alias="KEEP_TICKS")
    instruments_refresh_seconds: float = Field(
        default=10.0, gt=0, le=3600, validation_alias="INSTRUMENTS_REFRESH_SECONDS"
    )
    feed_host: str = Field(default="127.0.0.1", validation_alias="FEED_HOST")
    feed_port: int = Field(default=8080, ge=0, le=65_535, validation_alias="FEED_PORT")


def settings_from(environment: Mapping[str, str]) -> Settings:
    """The settings in `environment`; a variable that is set to nothing is not set.

    Raises: SettingsInvalid naming each variable that is missing or wrong, and no value.
    """
    given = {name: value.strip() for name, value in environment.items() if value.strip()}
    try:
        return Settings.model_validate({**_defaults(given), **given})
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise SettingsInvalid({_name(problem["loc"]): _reason(problem["msg"]) for problem in problems}) from None


def settings() -> Settings:
    """The settings in this process's environment. Raises: SettingsInvalid."""
    return settings_from(os.environ)


def store_from(settings: Settings) -> "SupabaseStore":
    """The store that `settings` name; it connects when it is first asked, and is the caller's to close."""
    # Imported here because it brings postgrest and httpx along, half of a cold start, and a test with its own store
    # should not pay for them.
    from marketdata.store.supabase import SupabaseStore  # noqa: PLC0415

    return SupabaseStore(settings.supabase_url, settings.supabase_key.get_secret_value())


class _Shared:
    """The store that all functions of this process share: one set of connections, kept from event to event."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._settings: Settings | None = None
        self._store: SupabaseStore | None = None

    def store(self, settings: Settings) -> "SupabaseStore":
        with self._lock:
            if self._store is None or self._settings != settings:
                self._close()
                self._settings, self._store = settings, store_from(settings)
            return self._store

    def close(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None


_shared = _Shared()


def shared_store(settings: Settings) -> "SupabaseStore":
    """The store that all functions of this process share; made anew, and the one before closed, if `settings` changed.

    On Lambda that never happens; a process that puts up several houses after another does it.
    """
    return _shared.store(settings)


def close_shared_store() -> None:
    """Close its connections; the next event opens them again."""
    _shared.close()


def ids_contiguous(exchange: str) -> bool:
    """Whether trade ids of that exchange count up by one; a simulated one keeps the promises of the real one."""
    return exchange.removesuffix(SIMULATED_SUFFIX) == coinbase.NAME and coinbase.CoinbaseExchange.ids_contiguous


def _defaults(given: Mapping[str, str]) -> dict[str, str]:
    """The defaults that depend on other settings."""
    advanced = given.get("COINBASE_FEED") == "advanced"
    service_key = given.get("SUPABASE_SERVICE_ROLE_KEY") or given.get("SUPABASE_SECRET_KEY", "")
    return {
        "COINBASE_WEBSOCKET_URL": coinbase.ADVANCED_URL if advanced else coinbase.EXCHANGE_URL,
        "COINBASE_REST_URL": coinbase.REST_URL,
        "CURSOR_SECRET": hmac.new(service_key.encode(), b"cursors", sha256).hexdigest(),
    }


def _name(location: tuple[int | str, ...]) -> str:
    return str(location[0])


def _reason(message: str) -> str:
    return "is required" if message == "Field required" else f"is wrong: {message}"
