"""The composition root: the environment becomes settings, and settings become the real store.

The only place below the roof that reads the environment. Functions, the feed and the command line start here.
Jobs, and what they alone need, are imported by the functions that wire them: an answer of the API should not pay for
them at every cold start.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache, partial
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from marketdata.clock import Clock
from marketdata.errors import SettingsInvalid
from marketdata.jobs.front_door import Door, FrontDoor, Secrets
from marketdata.jobs.known_keys import KnownKeys
from marketdata.jobs.known_users import KnownUsers
from marketdata.jobs.limit_requests import Policy, RequestLimits
from marketdata.jobs.remember_answers import RememberedAnswers
from marketdata.secrets_extension import SecretSettings
from marketdata.settings import Settings, settings_from
from marketdata.store.answer_cache import MemoryCache, RedisCache
from marketdata.store.file_shelf import BucketShelf, FileShelf, FolderShelf
from marketdata.store.quota_book import MemoryQuotas
from marketdata.store.redis_line import RedisLine
from marketdata.store.redis_quotas import RedisQuotas
from marketdata.store.store import Store

if TYPE_CHECKING:
    from marketdata.exchange_access import OpenPast
    from marketdata.jobs.alerts import AlertSettings
    from marketdata.jobs.fill_settings import FillSettings
    from marketdata.jobs.forget_old import Retention
    from marketdata.jobs.run_job import Job
    from marketdata.jobs.store_outage import StoreOutage
    from marketdata.model.alert_target import Target
    from marketdata.net.webhook import Webhooks
    from marketdata.store.supabase import SupabaseStore

PORT_MAX = 65_535

_secret_settings = SecretSettings()


def settings() -> Settings:
    """The settings in this process's environment, and in the secrets that it names. Raises: SettingsInvalid."""
    secrets = _secret_settings.of(os.environ)
    return settings_from({**os.environ, **secrets} if secrets else os.environ)


def idle_address() -> tuple[str, int] | None:
    """Where a feed that nobody has configured yet says so; None where it must rather fail (FEED_IDLE_UNCONFIGURED)."""
    if os.environ.get("FEED_IDLE_UNCONFIGURED", "").lower() not in {"1", "true"}:
        return None
    return os.environ.get("FEED_HOST", "127.0.0.1"), int(os.environ.get("FEED_PORT", "8080"))


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What a live gateway by itself needs: where the feeds publish, and its own door. Neither store nor keys."""

    redis_url: str = field(repr=False)
    host: str
    port: int
    log_level: str
    local: bool


def gateway_settings() -> GatewaySettings:
    """Those in this process's environment. Raises: SettingsInvalid."""
    url, port = os.environ.get("REDIS_URL", "").strip(), os.environ.get("FEED_PORT", "").strip() or "8080"
    problems = {
        "REDIS_URL": "" if url else "is required: the Valkey or Redis that the feeds publish into",
        "FEED_PORT": "" if port.isdigit() and int(port) <= PORT_MAX else "is wrong: a port is a number up to 65535",
    }
    if any(problems.values()):
        raise SettingsInvalid({name: problem for name, problem in problems.items() if problem})
    host, local = os.environ.get("FEED_HOST", "").strip() or "127.0.0.1", os.environ.get("MARKETDATA_LOCAL", "")
    level = os.environ.get("LOG_LEVEL", "").strip().upper() or "INFO"
    return GatewaySettings(url, host, int(port), level, local.lower() in {"1", "true"})


def store_from(settings: Settings) -> SupabaseStore:
    """The store that `settings` name; it connects when it is first asked, and is the caller's to close."""
    # Imported here because it brings postgrest and httpx along, half of a cold start, and a test with its own store
    # should not pay for them.
    from marketdata.store.supabase import SupabaseStore  # noqa: PLC0415

    return SupabaseStore(settings.supabase_url, settings.supabase_key.reveal())


class _Shared:
    """The store that all functions of this process share: one set of connections, kept from event to event."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._settings: Settings | None = None
        self._store: SupabaseStore | None = None
        self._line: RedisLine | None = None
        self._line_url = ""
        self._caches: WeakKeyDictionary[Store, MemoryCache] = WeakKeyDictionary()

    def store(self, settings: Settings) -> SupabaseStore:
        with self._lock:
            if self._store is None or self._settings != settings:
                self._close()
                self._settings, self._store = settings, store_from(settings)
            return self._store

    def line(self, url: str) -> RedisLine:
        with self._lock:
            if self._line is None or self._line_url != url:
                self._line, self._line_url = RedisLine(url), url
            return self._line

    def cache(self, store: Store) -> MemoryCache:
        """One a store, for all functions of this process."""
        with self._lock:
            return self._caches.setdefault(store, MemoryCache(time.monotonic))

    def close(self) -> None:
        with self._lock:
            self._close()
            if self._line is not None:
                self._line.close()

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None


_shared = _Shared()


@lru_cache(maxsize=1)
def _outage() -> StoreOutage:
    """This process's memory of an outage of the store, which the store itself cannot keep."""
    from marketdata.jobs.store_outage import StoreOutage  # noqa: PLC0415

    return StoreOutage()


def shared_store(settings: Settings) -> SupabaseStore:
    """The store that all functions of this process share; made anew, and the one before closed, if `settings` changed.

    On Lambda that never happens; a process that puts up several houses after another does it.
    """
    return _shared.store(settings)


def redis_url(settings: Settings) -> str | None:
    """Where the Valkey or Redis is that all instances share, with its password; None without REDIS_URL."""
    return settings.redis_url.reveal() if settings.redis_url else None


def shared_line(settings: Settings) -> RedisLine | None:
    """The line to Valkey or Redis that this process shares; None without REDIS_URL."""
    url = redis_url(settings)
    return None if url is None else _shared.line(url)


def close_shared_store() -> None:
    """Close its connections; the next event opens them again."""
    _shared.close()


def front_door(
    settings: Settings, store: Store, clock: Clock, door: Door, *, failed: Callable[[], None] = lambda: None
) -> FrontDoor:
    """The way in to a function behind API Gateway. `failed` hears of each request that could not be counted by all."""
    quota = settings.ingest_rate_limit if door is Door.INGEST else settings.rate_limit
    secrets = Secrets(
        local=settings.local,
        public_reads=settings.public_reads,
        ingest_keys=tuple(key.reveal() for key in settings.ingest_api_keys),
        cron_secret=settings.cron_secret.reveal() if settings.cron_secret else None,
        edge_secret=settings.edge_secret.reveal() if settings.edge_secret else None,
    )
    policy = Policy("ingest" if door is Door.INGEST else "default", quota) if quota else None
    keys, users = KnownKeys(store, clock), _users(settings, clock)
    return FrontDoor(
        door, secrets, keys=keys, users=users, limits=_limits(settings, store, clock, failed), policy=policy
    )


def remembered_answers(
    settings: Settings, store: Store, *, failed: Callable[[], None] = lambda: None
) -> RememberedAnswers:
    """Answers of `store` that are given again for seconds: of all instances with REDIS_URL, of this process else."""
    line = shared_line(settings)
    cache = _shared.cache(store) if line is None else RedisCache(line)
    return RememberedAnswers(cache, settings.cache_ttl_seconds, failed)


def _users(settings: Settings, clock: Clock) -> KnownUsers:
    issuer = f"{settings.supabase_url.rstrip('/')}/auth/v1"
    secret = settings.supabase_jwt_secret
    fetch = partial(_public_keys, f"{issuer}/.well-known/jwks.json")
    return KnownUsers(issuer, fetch, secret.reveal() if secret else None, clock)


def _public_keys(url: str) -> bytes:
    # As the store's, imported when there is a token to verify.
    from marketdata.net.public_keys import fetch_document  # noqa: PLC0415

    return fetch_document(url)


def _limits(settings: Settings, store: Store, clock: Clock, failed: Callable[[], None]) -> RequestLimits:
    def seconds() -> float:
        return clock.now().timestamp()

    line = shared_line(settings)
    own = MemoryQuotas(seconds)
    if line is None:
        return RequestLimits(store, own, seconds, batches=True, failed=failed)
    return RequestLimits(RedisQuotas(line), own, seconds, batches=False, failed=failed)


_ending = Event()


def end_waiting() -> None:
    """Let the jobs of this process that wait for something to do end now: it is about to end."""
    _ending.set()


def begin_waiting() -> None:
    """Let jobs wait again, in a process that puts up one house after another."""
    _ending.clear()


def jobs(settings: Settings, store: Store | None = None, *, watching: bool = False) -> dict[str, Job]:
    """The jobs that a schedule or an operator runs by name, as `settings` say, with budgets as `pasts` has them.

    `watching`: a backfill goes on looking for new gaps until its deadline, which nobody waits for.
    """
    from marketdata import exchange_access  # noqa: PLC0415
    from marketdata.jobs.alerts import alerts  # noqa: PLC0415
    from marketdata.jobs.audit_coverage import coverage_audit  # noqa: PLC0415
    from marketdata.jobs.backfill import backfill  # noqa: PLC0415
    from marketdata.jobs.export import export  # noqa: PLC0415
    from marketdata.jobs.fetch_snapshots import fetch_snapshots  # noqa: PLC0415
    from marketdata.jobs.order_history import order_history  # noqa: PLC0415
    from marketdata.jobs.reconcile import reconcile  # noqa: PLC0415
    from marketdata.jobs.run_job import JOBS, ORDERED, with_orders  # noqa: PLC0415
    from marketdata.jobs.scan_gaps import gap_scan  # noqa: PLC0415

    history, grace = timedelta(days=settings.gap_history_days), timedelta(seconds=settings.gap_grace_seconds)
    known: dict[str, Job] = {
        **{name: job for name, job in JOBS.items() if name != ORDERED},
        "gap_scan": partial(gap_scan, history=history, grace=grace, retention=retention(settings)),
        "order_history": partial(order_history, history=history),
        "audit_coverage": partial(coverage_audit, history=history),
        "export": partial(export, shelf=file_shelf(settings)),
        "reconcile": partial(reconcile, open_past=pasts(settings, store)),
        "backfill": partial(
            backfill,
            open_past=pasts(settings, store),
            settings=fill_settings(settings, watching=watching),
            history=history,
            pause=_ending.wait,
        ),
        "fetch_snapshots": partial(
            fetch_snapshots,
            open_source=exchange_access.snapshot_source(settings, lambda: store or shared_store(settings)),
            history=timedelta(days=settings.snapshot_history_days),
            keep=timedelta(days=settings.keep_snapshots_days),
        ),
        "alerts": partial(
            alerts,
            settings=alert_settings(settings, watching=watching),
            send=webhooks(settings).post,
            outage=_outage(),
            pause=_ending.wait,
        ),
    }
    return with_orders(known)


def file_shelf(settings: Settings) -> FileShelf | None:
    """Where exports are put; None where no place is set."""
    if settings.export_bucket:
        return BucketShelf(settings.export_bucket)
    return FolderShelf(Path(settings.export_folder)) if settings.export_folder else None


def alert_settings(settings: Settings, *, watching: bool = False) -> AlertSettings:
    """How alerts are raised, and who is told."""
    from marketdata.jobs.alerts import AlertSettings  # noqa: PLC0415
    from marketdata.jobs.raise_alerts import RaiseSettings  # noqa: PLC0415

    raising = RaiseSettings(environment_target(settings), settings.alert_heartbeat, settings.runbook_url)
    return AlertSettings(raising, settings.alert_poll_seconds if watching else 0.0)


def environment_target(settings: Settings) -> Target | None:
    """The target that the settings name, if they name one."""
    from marketdata.model.alert_target import ENVIRONMENT, Target  # noqa: PLC0415

    if settings.alert_webhook_url is None:
        return None
    return Target(
        name=ENVIRONMENT,
        kind=settings.alert_webhook_format,
        url=settings.alert_webhook_url.reveal(),
        secrets=tuple(one.reveal() for one in settings.alert_webhook_secrets),
        min_severity=settings.alert_min_severity,
        quiet=settings.alert_quiet_hours,
    )


def webhooks(settings: Settings) -> Webhooks:
    """What sends alerts: to public addresses alone, but where one's own machine says otherwise."""
    from marketdata.net.webhook import Webhooks  # noqa: PLC0415

    return Webhooks(allow_local=settings.local and settings.alert_allow_local)


def retention(settings: Settings) -> Retention:
    """How long what has ended is kept."""
    from marketdata.jobs.forget_old import Retention  # noqa: PLC0415

    days = (settings.keep_gaps_days, settings.keep_jobs_days, settings.keep_alerts_days)
    return Retention(*(timedelta(days=one) for one in days))


def fill_settings(settings: Settings, *, watching: bool = False) -> FillSettings:
    """How gaps are filled."""
    from marketdata.jobs.fill_settings import FillSettings  # noqa: PLC0415

    return FillSettings(
        trade_span_max=timedelta(hours=settings.backfill_trade_hours),
        keep_trades=settings.keep_ticks,
        tries_max=settings.backfill_attempts_max,
        poll_seconds=settings.backfill_poll_seconds if watching else 0.0,
    )


def pasts(settings: Settings, store: Store | None = None) -> OpenPast:
    """How to ask an exchange for its past, with turns from the budgets of `store`, or of the one of `settings`."""
    from marketdata import exchange_access  # noqa: PLC0415

    return exchange_access.pasts(settings, lambda: store or shared_store(settings))
