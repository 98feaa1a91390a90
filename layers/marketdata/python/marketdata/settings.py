"""Everything that is set from outside, as one value; or a sentence that names each variable that is missing or wrong.

Made by wiring out of the environment, and by the command line out of it and what the house left behind.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from marketdata.compute.quiet_hours import quiet_hours
from marketdata.errors import RequestInvalid, SettingsInvalid, Unconfigured
from marketdata.exchanges.places import (
    COINGECKO_REQUESTS_A_MINUTE,
    COINGECKO_REST_URLS,
    OANDA_STREAM_URL,
    PLACES,
    require_known,
)
from marketdata.model.alert import Severity
from marketdata.model.alert_target import QuietHours, TargetKind
from marketdata.model.coin import Coin
from marketdata.model.symbol_shard import SymbolShard


def _listed(text: object) -> object:
    """`a, b,` as ("a", "b")."""
    return tuple(part.strip() for part in text.split(",") if part.strip()) if isinstance(text, str) else text


def _upper(text: object) -> object:
    return text.upper() if isinstance(text, str) else text


def _coins(text: object) -> object:
    """`BTC=bitcoin, ETH=ethereum` as coins. Raises: ValueError for what is no pair, or names an asset twice."""
    parts = text.split(",") if isinstance(text, str) else []
    pairs = [part.partition("=") for part in parts if part.strip()]
    coins = tuple(Coin(asset.strip().upper(), id_.strip()) for asset, _, id_ in pairs)
    wrong = [coin for coin in coins if not (coin.asset.isalnum() and _COIN_ID.fullmatch(coin.id))]
    if wrong or len({coin.asset for coin in coins}) < len(coins):
        raise ValueError("must be like BTC=bitcoin,ETH=ethereum: each currency once, with CoinGecko's id of it")
    return coins


def _quiet(text: object) -> object:
    """Raises: ValueError for what is no hours of a zone."""
    if not isinstance(text, str):
        return text
    try:
        return quiet_hours(text)
    except RequestInvalid as error:
        raise ValueError("must be like 22:00-07:00 Europe/Berlin") from error


STORE_VARIABLES = frozenset(
    {"SUPABASE_URL", "NEXT_PUBLIC_SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_SECRET_KEY"}
)


def _shard(text: object) -> object:
    """`1/3` as the first of three. Raises: ValueError for what is no such pair."""
    if not isinstance(text, str):
        return text
    number, _, count = text.partition("/")
    if not (number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
        raise ValueError("must be like 1/3: the first of three")
    return SymbolShard(int(number), int(count))


_COIN_ID = re.compile(r"[a-z0-9._-]{1,100}", re.ASCII)
Coins = Annotated[tuple[Coin, ...], BeforeValidator(_coins)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Shard = Annotated[SymbolShard, BeforeValidator(_shard)]
Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(_listed)]
Level = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)]
Quiet = Annotated[QuietHours | None, BeforeValidator(_quiet)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+")]
WebSocketUrl = Annotated[str, Field(pattern=r"^wss?://[^\s/]+")]


class ExchangeSettings(BaseModel):
    """Where one exchange is, and which of its feeds is followed."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    name: str
    rest_url: Url
    feed: str
    archive_url: Url | None = None
    """None where it keeps no archive of days."""
    websocket_url: WebSocketUrl | None = None
    """None is the feed's public address."""

    @field_validator("feed")
    @classmethod
    def _exists(cls, feed: str, known: ValidationInfo) -> str:
        feeds = PLACES[known.data["name"]].feeds
        if feeds and feed not in feeds:
            raise ValueError(f"must be one of {', '.join(feeds)}")
        return feed


class Settings(BaseModel):
    """Everything that is set from outside, each under the name of its environment variable."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    supabase_url: Url = Field(validation_alias=AliasChoices("SUPABASE_URL", "NEXT_PUBLIC_SUPABASE_URL"))
    supabase_key: SecretStr = Field(validation_alias=AliasChoices("SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_SECRET_KEY"))
    cron_secret: SecretStr | None = Field(default=None, validation_alias="CRON_SECRET")
    """What `Authorization: Bearer` must carry to run a job; without it the door is closed, but on one's own machine."""
    ingest_api_keys: Secrets = Field(default=(), validation_alias="INGEST_API_KEYS")
    """Who may push trades; without any the door is closed, but on one's own machine."""
    public_reads: bool = Field(default=True, validation_alias="PUBLIC_READS")
    """Off: whoever reads brings a key (`marketdata keys`) or the token of a logged-in user of the project."""
    supabase_jwt_secret: SecretStr | None = Field(default=None, validation_alias="SUPABASE_JWT_SECRET")
    """Of projects that still sign their users' tokens with a shared secret (HS256)."""
    api_docs: bool = Field(default=False, validation_alias="API_DOCS")
    """Whether /docs and /v1/openapi.json are served; on one's own machine they are, unless it says otherwise."""
    cors_origins: Names = Field(default=("*",), validation_alias="CORS_ORIGINS")
    """The pages that may read answers; `*` is every page, and for reads alone: one that pushes is named."""
    rate_limit: int = Field(default=600, ge=0, le=1_000_000, validation_alias="RATE_LIMIT_PER_MINUTE")
    """Requests a minute of each key, user or address; 0: nobody is counted, as on one's own machine."""
    ingest_rate_limit: int = Field(default=1_200, ge=0, le=1_000_000, validation_alias="INGEST_RATE_LIMIT_PER_MINUTE")
    redis_url: SecretStr | None = Field(default=None, validation_alias="REDIS_URL")
    """Valkey or Redis that all instances share: what was answered lately, and how often each caller asked."""
    cache_ttl_seconds: float = Field(default=2.0, ge=0, le=3_600, validation_alias="CACHE_TTL_SECONDS")
    """How long an answer about candles may be given again; 0: each is made anew."""
    export_bucket: str = Field(default="", validation_alias="EXPORT_BUCKET")
    """Where exports are put: a bucket of S3."""
    export_folder: str = Field(default="", validation_alias="EXPORT_FOLDER")
    """Or a folder of one's own machine; without either nobody can order an export."""
    cursor_secret: SecretStr = Field(validation_alias="CURSOR_SECRET")
    """Signs cursors; without it, derived from the service key, so that every function signs alike."""
    local: bool = Field(default=False, validation_alias="MARKETDATA_LOCAL")
    log_level: Level = Field(default="INFO", validation_alias="LOG_LEVEL")
    feed_exchanges: Names = Field(default=(), validation_alias="FEED_EXCHANGES")
    """Which exchanges this feed follows; none named means every one that has active instruments."""
    exchanges: tuple[ExchangeSettings, ...]
    """Each exchange of the registry, in its order: `<NAME>_` and FEED, WEBSOCKET_URL, REST_URL or ARCHIVE_URL."""
    oanda_token: SecretStr | None = Field(default=None, validation_alias=AliasChoices("OANDA_TOKEN", "OANDA_API_KEY"))
    """What OANDA knows us by; without it and the account, OANDA is neither followed nor asked."""
    oanda_account: str = Field(default="", validation_alias=AliasChoices("OANDA_ACCOUNT", "OANDA_ACCOUNT_ID"))
    oanda_stream_url: Url = Field(default=OANDA_STREAM_URL, validation_alias="OANDA_STREAM_URL")
    coingecko_coins: Coins = Field(default=(), validation_alias="COINGECKO_IDS")
    """Whose index prices are fetched: each currency with CoinGecko's id of it; without any, CoinGecko is not asked."""
    coingecko_quotes: Names = Field(default=("USD",), validation_alias="COINGECKO_QUOTES")
    coingecko_plan: Literal["demo", "pro"] = Field(default="demo", validation_alias="COINGECKO_PLAN")
    """Which kind of key it is: each has a host and a header of its own."""
    coingecko_api_key: SecretStr | None = Field(default=None, validation_alias="COINGECKO_API_KEY")
    """The demo plan's host answers without one too, a few requests a minute."""
    coingecko_requests_a_minute: float = Field(
        default=COINGECKO_REQUESTS_A_MINUTE, gt=0, le=10_000, validation_alias="COINGECKO_REQUESTS_A_MINUTE"
    )
    snapshot_history_days: int = Field(
        default=30, ge=1, le=365, validation_alias=AliasChoices("SNAPSHOT_HISTORY_DAYS", "INGESTION_LOOKBACK_DAYS")
    )
    """How far back index prices are fetched of an asset that is new."""
    keep_snapshots_days: int = Field(default=400, ge=1, le=7_300, validation_alias="KEEP_SNAPSHOTS_DAYS")
    feed_shard: Shard = Field(default=SymbolShard(), validation_alias="FEED_SHARD")
    """`1/3`: this feed is the first of three that share the symbols between them."""
    feed_handover_seconds: float = Field(default=0.0, ge=0, le=100, validation_alias="FEED_HANDOVER_SECONDS")
    """How long a feed goes on after SIGTERM for a successor to be seen, as in a deployment; 0: it stops at once."""
    flush_seconds: float = Field(default=1.0, gt=0, le=60, validation_alias="FLUSH_SECONDS")
    keep_ticks: bool = Field(default=True, validation_alias="KEEP_TICKS")
    instruments_refresh_seconds: float = Field(
        default=10.0, gt=0, le=3600, validation_alias="INSTRUMENTS_REFRESH_SECONDS"
    )
    gap_history_days: int = Field(default=365, ge=1, le=7_300, validation_alias="GAP_HISTORY_DAYS")
    """How far back history is wanted: it is ordered when an instrument is added; what is older is not looked for."""
    gap_grace_seconds: float = Field(default=120.0, ge=0, le=86_400, validation_alias="GAP_GRACE_SECONDS")
    """How long after its close a minute may be absent before that is a gap: trades come late, the feed flushes every
    second, mends what it lost, and proof of a quiet minute waits for the next trade or heartbeat."""
    backfill_trade_hours: float = Field(default=6.0, ge=0, le=48, validation_alias="BACKFILL_TRADE_HOURS")
    """Gaps up to so long are filled by trades, which proves them; longer ones by the exchange's own candles."""
    backfill_attempts_max: int = Field(default=8, ge=1, le=100, validation_alias="BACKFILL_ATTEMPTS_MAX")
    """So many answers in a row that brought nothing, and a gap is unrecoverable."""
    backfill_poll_seconds: float = Field(default=2.0, ge=0, le=60, validation_alias="BACKFILL_POLL_SECONDS")
    """How often the scheduled backfill looks for new gaps until its time is over; 0: it ends when nothing is due."""
    keep_gaps_days: int = Field(default=400, ge=1, le=7_300, validation_alias="KEEP_GAPS_DAYS")
    """How long resolved gaps stay on the ledger; those of wanted history always do."""
    keep_jobs_days: int = Field(default=30, ge=1, le=7_300, validation_alias="KEEP_JOBS_DAYS")
    keep_alerts_days: int = Field(default=400, ge=1, le=7_300, validation_alias="KEEP_ALERTS_DAYS")
    alert_webhook_url: SecretStr | None = Field(default=None, validation_alias="ALERT_WEBHOOK_URL")
    """Whom alerts are sent to, beside the targets of the database; often a secret itself."""
    alert_webhook_format: TargetKind = Field(default=TargetKind.SIMPLE, validation_alias="ALERT_WEBHOOK_FORMAT")
    """In which shape: simple (severity, message, context), generic, slack, discord, teams or pagerduty."""
    alert_webhook_secrets: Secrets = Field(validation_alias="ALERT_WEBHOOK_SECRET")
    """What signs (whsec_...), the newest first; without it, derived from the service key. PagerDuty's routing key."""
    alert_min_severity: Severity = Field(default=Severity.WARNING, validation_alias="ALERT_MIN_SEVERITY")
    alert_quiet_hours: Quiet = Field(default=None, validation_alias="ALERT_QUIET_HOURS")
    """As in `22:00-07:00 Europe/Berlin`: only what is critical is sent then, the rest as a digest at the end."""
    alert_poll_seconds: float = Field(default=10.0, ge=0, le=60, validation_alias="ALERT_POLL_SECONDS")
    """How often the scheduled job evaluates until its time is over; 0: once, when it starts."""
    alert_heartbeat: bool = Field(default=True, validation_alias="ALERT_HEARTBEAT")
    """Whether a sign of life is sent once a day."""
    alert_allow_local: bool = Field(default=False, validation_alias="ALERT_ALLOW_LOCAL")
    """On one's own machine, whether webhooks may be on this machine or network, and without TLS."""
    runbook_url: str = Field(default="docs/runbook.md", validation_alias="RUNBOOK_URL")
    """Where alerts link to; the rule's name follows as an anchor."""
    feed_host: str = Field(default="127.0.0.1", validation_alias="FEED_HOST")
    feed_port: int = Field(default=8080, ge=0, le=65_535, validation_alias="FEED_PORT")

    def exchange(self, name: str) -> ExchangeSettings:
        """The settings of an exchange, which its simulator shares. Raises: RequestInvalid listing those there are."""
        known = require_known(name)
        return next(one for one in self.exchanges if one.name == known)


def settings_from(environment: Mapping[str, str]) -> Settings:
    """The settings in `environment`; a variable that is set to nothing is not set.

    Raises: SettingsInvalid naming each variable that is missing or wrong, and no value; Unconfigured where nothing
    says where the store is.
    """
    given = {name: value.strip() for name, value in environment.items() if value.strip()}
    try:
        given = {**_defaults(given), **given}
        return Settings.model_validate({**given, "exchanges": _exchanges(given)})
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        told = SettingsInvalid if given.keys() & STORE_VARIABLES else Unconfigured
        raise told({_name(problem["loc"]): _reason(problem["msg"]) for problem in problems}) from None


_YES = {"1", "true", "yes", "on", "y", "t"}


def history_days(environment: Mapping[str, str]) -> int:
    """How far back history is wanted, for whoever needs no other setting. Raises: SettingsInvalid."""
    text = environment.get("GAP_HISTORY_DAYS", "").strip() or str(Settings.model_fields["gap_history_days"].default)
    if not text.isdigit():
        raise SettingsInvalid({"GAP_HISTORY_DAYS": "is wrong: a number of days"})
    return int(text)


def _defaults(given: Mapping[str, str]) -> dict[str, str]:
    """The defaults that depend on other settings."""
    service_key = given.get("SUPABASE_SERVICE_ROLE_KEY") or given.get("SUPABASE_SECRET_KEY", "")
    plan = given.get("COINGECKO_PLAN", "")
    at_home = {"RATE_LIMIT_PER_MINUTE": "0", "INGEST_RATE_LIMIT_PER_MINUTE": "0", "API_DOCS": "1"}
    return {
        **(at_home if given.get("MARKETDATA_LOCAL", "").lower() in _YES else {}),
        "CURSOR_SECRET": hmac.new(service_key.encode(), b"cursors", sha256).hexdigest(),
        "ALERT_WEBHOOK_SECRET": derived_secret(service_key),
        "COINGECKO_REST_URL": COINGECKO_REST_URLS.get(plan, COINGECKO_REST_URLS["demo"]),
    }


def derived_secret(service_key: str) -> str:
    """What signs alerts where nothing else is set: nothing is sent unsigned."""
    return f"whsec_{b64encode(hmac.new(service_key.encode(), b'alerts', sha256).digest()).decode()}"


def _exchanges(given: Mapping[str, str]) -> list[dict[str, str | None]]:
    """The settings of each exchange, as given or as they are known."""
    return [
        {
            "name": name,
            "rest_url": given.get(f"{name.upper()}_REST_URL", place.rest_url),
            "feed": given.get(f"{name.upper()}_FEED", place.default_feed),
            "archive_url": given.get(f"{name.upper()}_ARCHIVE_URL", place.archive_url),
            "websocket_url": given.get(f"{name.upper()}_WEBSOCKET_URL"),
        }
        for name, place in PLACES.items()
    ]


def _name(location: tuple[int | str, ...]) -> str:
    """The variable that a problem is with: `exchanges, 0, rest_url` is COINBASE_REST_URL."""
    if location[0] != "exchanges":
        return str(location[0])
    return f"{list(PLACES)[int(location[1])]}_{location[2]}".upper()


def _reason(message: str) -> str:
    return "is required" if message == "Field required" else f"is wrong: {message}"
