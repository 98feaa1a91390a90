"""Everything that is set from outside, as one value; or a sentence that names each variable that is missing or wrong.

Made by wiring out of the environment, and by the command line out of it and what the house left behind. It is read at
every cold start, so by msgspec: pydantic would be a third of what the api function may take (docs/decisions/0019).
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any, Literal, NewType, get_args, get_origin

from msgspec import NODEFAULT, Meta, Struct, ValidationError, convert, field
from msgspec.structs import FieldInfo, fields

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
from marketdata.model.secret import Secret
from marketdata.model.symbol_shard import SymbolShard

STORE_VARIABLES = frozenset(
    {"SUPABASE_URL", "NEXT_PUBLIC_SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_SECRET_KEY"}
)
OTHER_NAMES: Mapping[str, str] = {
    "SUPABASE_URL": "NEXT_PUBLIC_SUPABASE_URL",
    "SUPABASE_SERVICE_ROLE_KEY": "SUPABASE_SECRET_KEY",
    "OANDA_TOKEN": "OANDA_API_KEY",
    "OANDA_ACCOUNT": "OANDA_ACCOUNT_ID",
    "SNAPSHOT_HISTORY_DAYS": "INGESTION_LOOKBACK_DAYS",
}
"""What a variable may be called too; where both are set, its own name counts."""

_COIN_ID = re.compile(r"[a-z0-9._-]{1,100}", re.ASCII)
_ADDRESS, _WEB_SOCKET_ADDRESS = re.compile(r"https?://[^\s/]+"), re.compile(r"wss?://[^\s/]+")
_YES = frozenset({"1", "true", "yes", "on", "y", "t"})
_NO = frozenset({"0", "false", "no", "off", "n", "f"})

Days = Annotated[int, Meta(ge=1, le=7_300)]
Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
Limit = Annotated[int, Meta(ge=0, le=1_000_000)]
Names = tuple[str, ...]
Secrets = tuple[Secret, ...]
Url = NewType("Url", str)
WebSocketUrl = NewType("WebSocketUrl", str)


class ExchangeSettings(Struct, frozen=True):
    """Where one exchange is, and which of its feeds is followed."""

    name: str
    rest_url: str
    feed: str
    archive_url: str | None = None
    """None where it keeps no archive of days."""
    websocket_url: str | None = None
    """None is the feed's public address."""


class Settings(Struct, frozen=True, kw_only=True):
    """Everything that is set from outside, each under the name of its environment variable."""

    supabase_url: Url = field(name="SUPABASE_URL")
    supabase_key: Secret = field(name="SUPABASE_SERVICE_ROLE_KEY")
    cron_secret: Secret | None = field(default=None, name="CRON_SECRET")
    """What `Authorization: Bearer` must carry to run a job; without it the door is closed, but on one's own machine."""
    ingest_api_keys: Secrets = field(default=(), name="INGEST_API_KEYS")
    """Who may push trades; without any the door is closed, but on one's own machine."""
    edge_secret: Secret | None = field(default=None, name="EDGE_SECRET")
    """What our CloudFront adds to each request, so that it is believed where the request came from."""
    public_reads: bool = field(default=True, name="PUBLIC_READS")
    """Off: whoever reads brings a key (`marketdata keys`) or the token of a logged-in user of the project."""
    supabase_jwt_secret: Secret | None = field(default=None, name="SUPABASE_JWT_SECRET")
    """Of projects that still sign their users' tokens with a shared secret (HS256)."""
    api_docs: bool = field(default=False, name="API_DOCS")
    """Whether /docs and /v1/openapi.json are served; on one's own machine they are, unless it says otherwise."""
    cors_origins: Names = field(default=("*",), name="CORS_ORIGINS")
    """The pages that may read answers; `*` is every page, and for reads alone: one that pushes is named."""
    rate_limit: Limit = field(default=600, name="RATE_LIMIT_PER_MINUTE")
    """Requests a minute of each key, user or address; 0: nobody is counted, as on one's own machine."""
    ingest_rate_limit: Limit = field(default=1_200, name="INGEST_RATE_LIMIT_PER_MINUTE")
    redis_url: Secret | None = field(default=None, name="REDIS_URL")
    """Valkey or Redis that all instances share: what was answered lately, and how often each caller asked."""
    cache_ttl_seconds: Annotated[float, Meta(ge=0, le=3_600)] = field(default=2.0, name="CACHE_TTL_SECONDS")
    """How long an answer about candles may be given again; 0: each is made anew."""
    export_bucket: str = field(default="", name="EXPORT_BUCKET")
    """Where exports are put: a bucket of S3."""
    export_folder: str = field(default="", name="EXPORT_FOLDER")
    """Or a folder of one's own machine; without either nobody can order an export."""
    cursor_secret: Secret = field(name="CURSOR_SECRET")
    """Signs cursors; without it, derived from the service key, so that every function signs alike."""
    local: bool = field(default=False, name="MARKETDATA_LOCAL")
    log_level: Level = field(default="INFO", name="LOG_LEVEL")
    feed_exchanges: Names = field(default=(), name="FEED_EXCHANGES")
    """Which exchanges this feed follows; none named means every one that has active instruments."""
    exchanges: tuple[ExchangeSettings, ...]
    """Each exchange of the registry, in its order: `<NAME>_` and FEED, WEBSOCKET_URL, REST_URL or ARCHIVE_URL."""
    oanda_token: Secret | None = field(default=None, name="OANDA_TOKEN")
    """What OANDA knows us by; without it and the account, OANDA is neither followed nor asked."""
    oanda_account: str = field(default="", name="OANDA_ACCOUNT")
    oanda_stream_url: Url = field(default=Url(OANDA_STREAM_URL), name="OANDA_STREAM_URL")
    coingecko_coins: tuple[Coin, ...] = field(default=(), name="COINGECKO_IDS")
    """Whose index prices are fetched: each currency with CoinGecko's id of it; without any, CoinGecko is not asked."""
    coingecko_quotes: Names = field(default=("USD",), name="COINGECKO_QUOTES")
    coingecko_plan: Literal["demo", "pro"] = field(default="demo", name="COINGECKO_PLAN")
    """Which kind of key it is: each has a host and a header of its own."""
    coingecko_api_key: Secret | None = field(default=None, name="COINGECKO_API_KEY")
    """The demo plan's host answers without one too, a few requests a minute."""
    coingecko_requests_a_minute: Annotated[float, Meta(gt=0, le=10_000)] = field(
        default=COINGECKO_REQUESTS_A_MINUTE, name="COINGECKO_REQUESTS_A_MINUTE"
    )
    snapshot_history_days: Annotated[int, Meta(ge=1, le=365)] = field(default=30, name="SNAPSHOT_HISTORY_DAYS")
    """How far back index prices are fetched of an asset that is new."""
    keep_snapshots_days: Days = field(default=400, name="KEEP_SNAPSHOTS_DAYS")
    feed_shard: SymbolShard = field(default=SymbolShard(), name="FEED_SHARD")
    """`1/3`: this feed is the first of three that share the symbols between them."""
    feed_handover_seconds: Annotated[float, Meta(ge=0, le=100)] = field(default=0.0, name="FEED_HANDOVER_SECONDS")
    """How long a feed goes on after SIGTERM for a successor to be seen, as in a deployment; 0: it stops at once."""
    flush_seconds: Annotated[float, Meta(gt=0, le=60)] = field(default=1.0, name="FLUSH_SECONDS")
    keep_ticks: bool = field(default=True, name="KEEP_TICKS")
    instruments_refresh_seconds: Annotated[float, Meta(gt=0, le=3600)] = field(
        default=10.0, name="INSTRUMENTS_REFRESH_SECONDS"
    )
    gap_history_days: Days = field(default=365, name="GAP_HISTORY_DAYS")
    """How far back history is wanted: it is ordered when an instrument is added; what is older is not looked for."""
    gap_grace_seconds: Annotated[float, Meta(ge=0, le=86_400)] = field(default=120.0, name="GAP_GRACE_SECONDS")
    """How long after its close a minute may be absent before that is a gap: trades come late, the feed flushes every
    second, mends what it lost, and proof of a quiet minute waits for the next trade or heartbeat."""
    backfill_trade_hours: Annotated[float, Meta(ge=0, le=48)] = field(default=6.0, name="BACKFILL_TRADE_HOURS")
    """Gaps up to so long are filled by trades, which proves them; longer ones by the exchange's own candles."""
    backfill_attempts_max: Annotated[int, Meta(ge=1, le=100)] = field(default=8, name="BACKFILL_ATTEMPTS_MAX")
    """So many answers in a row that brought nothing, and a gap is unrecoverable."""
    backfill_poll_seconds: Annotated[float, Meta(ge=0, le=60)] = field(default=2.0, name="BACKFILL_POLL_SECONDS")
    """How often the scheduled backfill looks for new gaps until its time is over; 0: it ends when nothing is due."""
    keep_gaps_days: Days = field(default=400, name="KEEP_GAPS_DAYS")
    """How long resolved gaps stay on the ledger; those of wanted history always do."""
    keep_jobs_days: Days = field(default=30, name="KEEP_JOBS_DAYS")
    keep_alerts_days: Days = field(default=400, name="KEEP_ALERTS_DAYS")
    alert_webhook_url: Secret | None = field(default=None, name="ALERT_WEBHOOK_URL")
    """Whom alerts are sent to, beside the targets of the database; often a secret itself."""
    alert_webhook_format: TargetKind = field(default=TargetKind.SIMPLE, name="ALERT_WEBHOOK_FORMAT")
    """In which shape: simple (severity, message, context), generic, slack, discord, teams or pagerduty."""
    alert_webhook_secrets: Secrets = field(name="ALERT_WEBHOOK_SECRET")
    """What signs (whsec_...), the newest first; without it, derived from the service key. PagerDuty's routing key."""
    alert_min_severity: Severity = field(default=Severity.WARNING, name="ALERT_MIN_SEVERITY")
    alert_quiet_hours: QuietHours | None = field(default=None, name="ALERT_QUIET_HOURS")
    """As in `22:00-07:00 Europe/Berlin`: only what is critical is sent then, the rest as a digest at the end."""
    alert_poll_seconds: Annotated[float, Meta(ge=0, le=60)] = field(default=10.0, name="ALERT_POLL_SECONDS")
    """How often the scheduled job evaluates until its time is over; 0: once, when it starts."""
    alert_heartbeat: bool = field(default=True, name="ALERT_HEARTBEAT")
    """Whether a sign of life is sent once a day."""
    alert_allow_local: bool = field(default=False, name="ALERT_ALLOW_LOCAL")
    """On one's own machine, whether webhooks may be on this machine or network, and without TLS."""
    runbook_url: str = field(default="docs/runbook.md", name="RUNBOOK_URL")
    """Where alerts link to; the rule's name follows as an anchor."""
    feed_host: str = field(default="127.0.0.1", name="FEED_HOST")
    feed_port: Annotated[int, Meta(ge=0, le=65_535)] = field(default=8080, name="FEED_PORT")

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
    for name, other in OTHER_NAMES.items():
        if other in given:
            given.setdefault(name, given[other])
    found = _Found({**_defaults(given), **given})
    values = {name: found.value(one.encode_name, one.type, one.default) for name, one in _variables().items()}
    exchanges = tuple(found.exchange(name) for name in PLACES)
    if found.wrong:
        told = SettingsInvalid if given.keys() & STORE_VARIABLES else Unconfigured
        raise told(found.wrong)
    return Settings(**values, exchanges=exchanges)


def history_days(environment: Mapping[str, str]) -> int:
    """How far back history is wanted, for whoever needs no other setting. Raises: SettingsInvalid."""
    days = _variables()["gap_history_days"]
    text = environment.get(days.encode_name, "").strip()
    found = _Found({days.encode_name: text} if text else {})
    wanted: int = found.value(days.encode_name, days.type, days.default)
    if found.wrong:
        raise SettingsInvalid(found.wrong)
    return wanted


def variables() -> frozenset[str]:
    """Every environment variable that is a setting, but those of exchanges (Settings.exchanges)."""
    return frozenset({one.encode_name for one in _variables().values()} | set(OTHER_NAMES.values()))


def derived_secret(service_key: str) -> str:
    """What signs alerts where nothing else is set: nothing is sent unsigned."""
    return f"whsec_{b64encode(hmac.new(service_key.encode(), b'alerts', sha256).digest()).decode()}"


class _Found:
    """What is set, read as what it must be; and what is wrong with it, by variable."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given
        self.wrong: dict[str, str] = {}

    def value(self, variable: str, kind: Any, default: Any) -> Any:
        """A variable as `kind`, or `default` where it is not set; of no use where that is wrong."""
        text = self._given.get(variable)
        if text is None:
            if default is NODEFAULT:
                self.wrong[variable] = "is required"
            return default
        try:
            return _read(text, kind)
        except (ValidationError, ValueError) as error:
            self.wrong[variable] = f"is wrong: {error}"
        return default

    def exchange(self, name: str) -> ExchangeSettings:
        """An exchange as it is set, or as it is known."""
        place, prefix = PLACES[name], name.upper()
        feed = self.value(f"{prefix}_FEED", str, place.default_feed)
        if place.feeds and feed not in place.feeds:
            self.wrong[f"{prefix}_FEED"] = f"is wrong: must be one of {', '.join(place.feeds)}"
        return ExchangeSettings(
            name,
            rest_url=self.value(f"{prefix}_REST_URL", Url, place.rest_url),
            feed=feed,
            archive_url=self.value(f"{prefix}_ARCHIVE_URL", Url, place.archive_url),
            websocket_url=self.value(f"{prefix}_WEBSOCKET_URL", WebSocketUrl, None),
        )


def _variables() -> dict[str, FieldInfo]:
    """The settings that are one variable each, by their own names."""
    return {one.name: one for one in fields(Settings) if one.name != "exchanges"}


def _defaults(given: Mapping[str, str]) -> dict[str, str]:
    """The defaults that depend on other settings."""
    service_key = given.get("SUPABASE_SERVICE_ROLE_KEY", "")
    plan = given.get("COINGECKO_PLAN", "")
    at_home = {"RATE_LIMIT_PER_MINUTE": "0", "INGEST_RATE_LIMIT_PER_MINUTE": "0", "API_DOCS": "1"}
    return {
        **(at_home if given.get("MARKETDATA_LOCAL", "").lower() in _YES else {}),
        "CURSOR_SECRET": hmac.new(service_key.encode(), b"cursors", sha256).hexdigest(),
        "ALERT_WEBHOOK_SECRET": derived_secret(service_key),
        "COINGECKO_REST_URL": COINGECKO_REST_URLS.get(plan, COINGECKO_REST_URLS["demo"]),
    }


def _read(text: str, kind: Any) -> Any:
    """`text` as `kind`. Raises: ValueError and ValidationError, which say what it must be and not what it is."""
    if kind in _READERS:
        return _READERS[kind](text)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(_one_of(text.lower(), list(kind)))
    if get_origin(kind) is Literal:
        return _one_of(text, get_args(kind))
    return convert(text, kind, strict=False)


def _one_of(text: str, choices: Sequence[str]) -> str:
    if text not in choices:
        raise ValueError(f"must be one of {', '.join(choices)}")
    return text


def _address(text: str) -> str:
    if not _ADDRESS.match(text):
        raise ValueError("must be an address like https://abc.supabase.co, with its http:// or https://")
    return text


def _web_socket_address(text: str) -> str:
    if not _WEB_SOCKET_ADDRESS.match(text):
        raise ValueError("must be an address like wss://ws-feed.exchange.coinbase.com, with its ws:// or wss://")
    return text


def _boolean(text: str) -> bool:
    if text.lower() not in _YES | _NO:
        raise ValueError("must be true or false")
    return text.lower() in _YES


def _listed(text: str) -> Names:
    """`a, b,` as ("a", "b")."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _secrets(text: str) -> Secrets:
    return tuple(map(Secret, _listed(text)))


def _level(text: str) -> str:
    return _one_of(text.upper(), get_args(Level))


def _coins(text: str) -> tuple[Coin, ...]:
    """`BTC=bitcoin, ETH=ethereum` as coins. Raises: ValueError for what is no pair, or names an asset twice."""
    pairs = [part.partition("=") for part in _listed(text)]
    coins = tuple(Coin(asset.strip().upper(), id_.strip()) for asset, _, id_ in pairs)
    wrong = [coin for coin in coins if not (coin.asset.isalnum() and _COIN_ID.fullmatch(coin.id))]
    if wrong or len({coin.asset for coin in coins}) < len(coins):
        raise ValueError("must be like BTC=bitcoin,ETH=ethereum: each currency once, with CoinGecko's id of it")
    return coins


def _shard(text: str) -> SymbolShard:
    """`1/3` as the first of three. Raises: ValueError for what is no such pair."""
    number, _, count = text.partition("/")
    if not (number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
        raise ValueError("must be like 1/3: the first of three")
    return SymbolShard(int(number), int(count))


def _quiet(text: str) -> QuietHours:
    """Raises: ValueError for what is no hours of a zone."""
    try:
        return quiet_hours(text)
    except RequestInvalid as error:
        raise ValueError("must be like 22:00-07:00 Europe/Berlin") from error


_READERS: Mapping[Any, Callable[[str], Any]] = {
    bool: _boolean,
    str: str,
    Url: _address,
    WebSocketUrl: _web_socket_address,
    Secret: Secret,
    Secret | None: Secret,
    Names: _listed,
    Secrets: _secrets,
    Level: _level,
    tuple[Coin, ...]: _coins,
    SymbolShard: _shard,
    QuietHours | None: _quiet,
}
