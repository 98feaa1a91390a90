"""The composition root: the environment becomes settings, and settings become the real store.

The only place below the roof that reads the environment. Functions, the feed and the command line start here.
"""

import hmac
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Literal

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

from marketdata.clock import SystemClock
from marketdata.errors import RequestInvalid, SettingsInvalid
from marketdata.exchanges import coingecko, oanda
from marketdata.exchanges.exchange import Coin, LiveTrades
from marketdata.exchanges.registry import ADAPTERS, SIMULATED_SUFFIX, adapter_for, live_trades
from marketdata.jobs.audit_coverage import coverage_audit
from marketdata.jobs.backfill import backfill
from marketdata.jobs.exchange_past import ArchivePast, ExchangePast
from marketdata.jobs.fetch_snapshots import OpenSource, fetch_snapshots
from marketdata.jobs.fill_settings import FillSettings
from marketdata.jobs.forget_old import Retention
from marketdata.jobs.order_history import order_history
from marketdata.jobs.reconcile import reconcile
from marketdata.jobs.run_job import JOBS, Job
from marketdata.jobs.scan_gaps import gap_scan
from marketdata.store.store import Store

if TYPE_CHECKING:
    from marketdata.net.connection import Connect
    from marketdata.net.rest import Budget
    from marketdata.store.supabase import SupabaseStore


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


_COIN_ID = re.compile(r"[a-z0-9._-]{1,100}", re.ASCII)
Coins = Annotated[tuple[Coin, ...], BeforeValidator(_coins)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(_listed)]
Level = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)]
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
        feeds = ADAPTERS[known.data["name"]].feeds
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
    cursor_secret: SecretStr = Field(validation_alias="CURSOR_SECRET")
    """Signs cursors; without it, derived from the service key, so that every function signs alike."""
    local: bool = Field(default=False, validation_alias="MARKETDATA_LOCAL")
    log_level: Level = Field(default="INFO", validation_alias="LOG_LEVEL")
    feed_exchanges: Names = Field(default=(), validation_alias="FEED_EXCHANGES")
    """Which exchanges this feed follows; none named means every one that has active instruments."""
    exchanges: tuple[ExchangeSettings, ...]
    """Each exchange of the registry, in its order: `<NAME>_FEED`, `<NAME>_WEBSOCKET_URL` and `<NAME>_REST_URL`."""
    oanda_token: SecretStr | None = Field(default=None, validation_alias=AliasChoices("OANDA_TOKEN", "OANDA_API_KEY"))
    """What OANDA knows us by; without it and the account, OANDA is neither followed nor asked."""
    oanda_account: str = Field(default="", validation_alias=AliasChoices("OANDA_ACCOUNT", "OANDA_ACCOUNT_ID"))
    oanda_stream_url: Url = Field(default=oanda.STREAM_URL, validation_alias="OANDA_STREAM_URL")
    coingecko_coins: Coins = Field(default=(), validation_alias="COINGECKO_IDS")
    """Whose index prices are fetched: each currency with CoinGecko's id of it; without any, CoinGecko is not asked."""
    coingecko_quotes: Names = Field(default=("USD",), validation_alias="COINGECKO_QUOTES")
    coingecko_plan: Literal["demo", "pro"] = Field(default="demo", validation_alias="COINGECKO_PLAN")
    """Which kind of key it is: each has a host and a header of its own."""
    coingecko_api_key: SecretStr | None = Field(default=None, validation_alias="COINGECKO_API_KEY")
    """The demo plan's host answers without one too, a few requests a minute."""
    coingecko_requests_a_minute: float = Field(
        default=coingecko.REQUESTS_A_MINUTE, gt=0, le=10_000, validation_alias="COINGECKO_REQUESTS_A_MINUTE"
    )
    snapshot_history_days: int = Field(
        default=30,
        ge=1,
        le=365,
        validation_alias=AliasChoices("SNAPSHOT_HISTORY_DAYS", "INGESTION_LOOKBACK_DAYS"),
    )
    """How far back index prices are fetched of an asset that is new."""
    keep_snapshots_days: int = Field(default=400, ge=1, le=7_300, validation_alias="KEEP_SNAPSHOTS_DAYS")
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
    feed_host: str = Field(default="127.0.0.1", validation_alias="FEED_HOST")
    feed_port: int = Field(default=8080, ge=0, le=65_535, validation_alias="FEED_PORT")

    def exchange(self, name: str) -> ExchangeSettings:
        """The settings of an exchange, which its simulator shares. Raises: RequestInvalid listing those there are."""
        adapter_for(name)
        return next(one for one in self.exchanges if one.name == name.removesuffix(SIMULATED_SUFFIX))


def settings_from(environment: Mapping[str, str]) -> Settings:
    """The settings in `environment`; a variable that is set to nothing is not set.

    Raises: SettingsInvalid naming each variable that is missing or wrong, and no value.
    """
    given = {name: value.strip() for name, value in environment.items() if value.strip()}
    try:
        given = {**_defaults(given), **given}
        return Settings.model_validate({**given, "exchanges": _exchanges(given)})
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise SettingsInvalid({_name(problem["loc"]): _reason(problem["msg"]) for problem in problems}) from None


def history_days(environment: Mapping[str, str]) -> int:
    """How far back history is wanted, for whoever needs no other setting. Raises: SettingsInvalid."""
    text = environment.get("GAP_HISTORY_DAYS", "").strip() or str(Settings.model_fields["gap_history_days"].default)
    if not text.isdigit():
        raise SettingsInvalid({"GAP_HISTORY_DAYS": "is wrong: a number of days"})
    return int(text)


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

_FILE_SECONDS_MAX = 60.0
_TURN_SECONDS_MAX = 5.0
"""A gap whose turn is further off goes back on the ledger, so that a run ends in time."""


def shared_store(settings: Settings) -> "SupabaseStore":
    """The store that all functions of this process share; made anew, and the one before closed, if `settings` changed.

    On Lambda that never happens; a process that puts up several houses after another does it.
    """
    return _shared.store(settings)


def close_shared_store() -> None:
    """Close its connections; the next event opens them again."""
    _shared.close()


def jobs(settings: Settings, store: Store | None = None, *, watching: bool = False) -> dict[str, Job]:
    """The jobs that a schedule or an operator runs by name, as `settings` say, with budgets as `pasts` has them.

    `watching`: a backfill goes on looking for new gaps until its deadline, which nobody waits for.
    """
    history, grace = timedelta(days=settings.gap_history_days), timedelta(seconds=settings.gap_grace_seconds)
    return {
        **JOBS,
        "gap_scan": partial(gap_scan, history=history, grace=grace, retention=retention(settings)),
        "order_history": partial(order_history, history=history),
        "audit_coverage": partial(coverage_audit, history=history),
        "reconcile": partial(reconcile, open_past=pasts(settings, store)),
        "backfill": partial(
            backfill,
            open_past=pasts(settings, store),
            settings=fill_settings(settings, watching=watching),
            history=history,
        ),
        "fetch_snapshots": partial(
            fetch_snapshots,
            open_source=snapshot_source(settings, store),
            history=timedelta(days=settings.snapshot_history_days),
            keep=timedelta(days=settings.keep_snapshots_days),
        ),
    }


def retention(settings: Settings) -> Retention:
    """How long what has ended is kept."""
    days = (settings.keep_gaps_days, settings.keep_jobs_days, settings.keep_alerts_days)
    return Retention(*(timedelta(days=one) for one in days))


def fill_settings(settings: Settings, *, watching: bool = False) -> FillSettings:
    """How gaps are filled."""
    return FillSettings(
        trade_span_max=timedelta(hours=settings.backfill_trade_hours),
        tries_max=settings.backfill_attempts_max,
        poll_seconds=settings.backfill_poll_seconds if watching else 0.0,
    )


def pasts(
    settings: Settings, store: Store | None = None
) -> Callable[[str], AbstractContextManager[ExchangePast] | None]:
    """How to ask an exchange for its past, by its name; None for one that is not followed or cannot be asked.

    Turns are taken from the budgets of `store`, which is the one of `settings` if none is given.

    A simulated exchange is never looked for at the real one's address: its name must not be given to real data.
    """

    def open_past(exchange: str) -> AbstractContextManager[ExchangePast] | None:
        known = exchange.removesuffix(SIMULATED_SUFFIX) in ADAPTERS
        followed = not settings.feed_exchanges or exchange in settings.feed_exchanges
        if not (known and followed):
            return None
        url, adapter = settings.exchange(exchange).rest_url, adapter_for(exchange)
        if exchange.endswith(SIMULATED_SUFFIX) and url == adapter.rest_url:
            return None
        if not (adapter.candle_history or adapter.trade_history):
            return None
        if adapter.needs_token and not _secrets(settings, exchange):
            return None
        return _past(settings, store or shared_store(settings), exchange)

    return open_past


@contextmanager
def _past(settings: Settings, store: Store, exchange: str) -> "Iterator[ExchangePast]":
    from marketdata.net.rest import FILE_BYTES_MAX, Rest  # noqa: PLC0415 - httpx is half of a cold start

    adapter, secrets = adapter_for(exchange), _secrets(settings, exchange)
    known = settings.exchange(exchange)
    trade_history = adapter.trades_at(known.rest_url) if adapter.ids_contiguous else None
    rest = Rest(
        exchange,
        settings.exchange(exchange).rest_url,
        shared_budget(store, exchange),
        SystemClock(),
        sleep=time.sleep,
        wait_seconds_max=_TURN_SECONDS_MAX,
        read_refusal=adapter.read_refusal,
        weights=adapter.weights,
    )
    archive_url = known.archive_url
    if exchange.endswith(SIMULATED_SUFFIX) and archive_url == adapter.archive_url:
        archive_url = None
    files = Rest(
        exchange,
        archive_url or known.rest_url,
        shared_budget(store, exchange),
        SystemClock(),
        sleep=time.sleep,
        wait_seconds_max=_TURN_SECONDS_MAX,
        timeout_seconds=_FILE_SECONDS_MAX,
        answer_bytes_max=FILE_BYTES_MAX,
    )
    try:
        yield ExchangePast(
            lambda request: rest.get(replace(request, headers=(*request.headers, *secrets.items()))),
            adapter.candle_history(exchange) if adapter.candle_history else None,
            trade_history(exchange) if trade_history else None,
            adapter.trades_by_time(exchange) if adapter.trades_by_time else None,
            ArchivePast(files.get, adapter.archive(exchange)) if adapter.archive and archive_url else None,
        )
    finally:
        rest.close()
        files.close()


def snapshot_source(
    settings: Settings, store: Store | None = None
) -> Callable[[], AbstractContextManager[OpenSource] | None]:
    """How to ask CoinGecko, with turns from the budgets of `store` as `pasts` has it; None without coins.

    Raises: SettingsInvalid for the Pro plan without a key, when asked.
    """

    def open_source() -> AbstractContextManager[OpenSource] | None:
        if not settings.coingecko_coins:
            return None
        if settings.coingecko_plan == coingecko.PRO and settings.coingecko_api_key is None:
            raise SettingsInvalid({"COINGECKO_API_KEY": "is required by the Pro plan"})
        return _snapshot_source(settings, store or shared_store(settings))

    return open_source


@contextmanager
def _snapshot_source(settings: Settings, store: Store) -> "Iterator[OpenSource]":
    from marketdata.net.rest import Rest  # noqa: PLC0415 - httpx is half of a cold start

    key = settings.coingecko_api_key.get_secret_value() if settings.coingecko_api_key else ""
    headers = tuple(coingecko.key_headers(settings.coingecko_plan, key).items())
    rest = Rest(
        coingecko.NAME,
        settings.exchange(coingecko.NAME).rest_url,
        shared_budget(store, coingecko.NAME, per_second=settings.coingecko_requests_a_minute / 60),
        SystemClock(),
        sleep=time.sleep,
        wait_seconds_max=_TURN_SECONDS_MAX,
        read_refusal=coingecko.read_refusal,
    )
    try:
        yield OpenSource(
            lambda request: rest.get(replace(request, headers=(*request.headers, *headers))),
            coingecko.CoinGecko(),
            settings.coingecko_coins,
            tuple(quote.upper() for quote in settings.coingecko_quotes),
        )
    finally:
        rest.close()


def shared_budget(
    store: Store, exchange: str, patience_seconds: float = _TURN_SECONDS_MAX, *, per_second: float | None = None
) -> "Budget":
    """One exchange's patience, shared through the store by all that ask it; `patience_seconds` is the caller's own.

    `per_second`: another pace than the registry's.
    """
    from marketdata.jobs.shared_budget import SharedBudget  # noqa: PLC0415 - brings httpx along

    adapter = adapter_for(exchange)
    return SharedBudget(
        exchange,
        store,
        per_second=per_second or adapter.requests_per_second,
        burst=adapter.requests_burst,
        patience_seconds=patience_seconds,
        monotonic=time.monotonic,
        sleep=time.sleep,
    )


def live_feed(settings: Settings, exchange: str) -> LiveTrades:
    """The live stream of an exchange, as `settings` say. Raises: RequestInvalid if there is none.

    As with `pasts`, a simulated exchange is never looked for at the real one's address.
    """
    known = settings.exchange(exchange)
    if known.name == oanda.NAME:
        if exchange.endswith(SIMULATED_SUFFIX) and settings.oanda_stream_url == oanda.STREAM_URL:
            raise RequestInvalid("exchange", f"{exchange} needs the address of a simulator")
        if settings.oanda_token is None or not settings.oanda_account:
            raise RequestInvalid("exchange", f"{exchange} needs OANDA_TOKEN and OANDA_ACCOUNT")
        return oanda.OandaPricing(settings.oanda_stream_url, exchange, settings.oanda_account)
    if exchange.endswith(SIMULATED_SUFFIX) and known.websocket_url is None:
        raise RequestInvalid("exchange", f"{exchange} needs the address of a simulator")
    return live_trades(exchange, known.feed, known.websocket_url)


def live_connect(settings: Settings, feed: LiveTrades) -> "Connect":
    """The door that a live stream speaks through: a WebSocket, or lines over HTTP, with the token that they need."""
    from marketdata.net.connection import connect_websocket  # noqa: PLC0415 - only the feed needs it
    from marketdata.net.http_lines import connect_lines  # noqa: PLC0415

    if isinstance(feed, oanda.OandaPricing):
        return connect_lines(feed.stream_request, _secrets(settings, oanda.NAME))
    return connect_websocket


def _secrets(settings: Settings, exchange: str) -> dict[str, str]:
    """The headers by which an exchange knows us."""
    if exchange.removesuffix(SIMULATED_SUFFIX) != oanda.NAME or settings.oanda_token is None:
        return {}
    return {"Authorization": f"Bearer {settings.oanda_token.get_secret_value()}"}


def ids_contiguous(exchange: str) -> bool:
    """Whether trade ids of that exchange count up by one; a simulated one keeps the promises of the real one."""
    adapter = ADAPTERS.get(exchange.removesuffix(SIMULATED_SUFFIX))
    return adapter is not None and adapter.ids_contiguous


def _defaults(given: Mapping[str, str]) -> dict[str, str]:
    """The defaults that depend on other settings."""
    service_key = given.get("SUPABASE_SERVICE_ROLE_KEY") or given.get("SUPABASE_SECRET_KEY", "")
    plan = given.get("COINGECKO_PLAN", "")
    return {
        "CURSOR_SECRET": hmac.new(service_key.encode(), b"cursors", sha256).hexdigest(),
        "COINGECKO_REST_URL": coingecko.REST_URLS.get(plan, coingecko.REST_URLS[coingecko.DEMO]),
    }


def _exchanges(given: Mapping[str, str]) -> list[dict[str, str | None]]:
    """The settings of each exchange, as given or as its adapter has them."""
    return [
        {
            "name": name,
            "rest_url": given.get(f"{name.upper()}_REST_URL", adapter.rest_url),
            "feed": given.get(f"{name.upper()}_FEED", adapter.default_feed),
            "archive_url": given.get(f"{name.upper()}_ARCHIVE_URL", adapter.archive_url),
            "websocket_url": given.get(f"{name.upper()}_WEBSOCKET_URL"),
        }
        for name, adapter in ADAPTERS.items()
    ]


def _name(location: tuple[int | str, ...]) -> str:
    """The variable that a problem is with: `exchanges, 0, rest_url` is COINBASE_REST_URL."""
    if location[0] != "exchanges":
        return str(location[0])
    return f"{list(ADAPTERS)[int(location[1])]}_{location[2]}".upper()


def _reason(message: str) -> str:
    return "is required" if message == "Field required" else f"is wrong: {message}"
