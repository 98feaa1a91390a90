"""`marketdata doctor`: whether what a deployment needs is there, a line each, and a fix for each that is not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any

import httpx
import psycopg
import typer
from marketdata.clock import SystemClock
from marketdata.errors import SettingsInvalid
from marketdata.settings import Settings, settings_from
from rich.console import Console

from cli.house_store import house_environment

SECONDS_MAX = 10.0
SKEW_SECONDS_MAX = 3.0
"""A clock further off than that dates candles wrongly; the Date of an answer is whole seconds."""
FEED_SECONDS_MAX = 60.0
FOUND = 1
"""The exit code when something is not well."""

PRIVATE_TABLE = "ingestion_jobs"
"""Only the service role may read it."""

_UNPROTECTED = """
select c.relname
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relrowsecurity
order by 1
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was seen, and what to do when it is not well."""

    name: str
    well: bool
    seen: str
    fix: str = ""


def doctor(
    deployed: Annotated[
        str | None, typer.Option(help="The address of a deployment, to be asked too: https://...", show_default=False)
    ] = None,
) -> None:
    """Look at settings, store, roles, row-level security and clock; with --deployed at that deployment too."""
    found = list(examine(house_environment(), deployed))
    console = Console(highlight=False)
    for one in found:
        mark = "[green]ok[/green]  " if one.well else "[red]fix[/red] "
        console.print(f"{mark}{one.name}: {one.seen}" + ("" if one.well else f"\n    -> {one.fix}"), soft_wrap=True)
    if not all(one.well for one in found):
        raise typer.Exit(FOUND)


def examine(environment: Mapping[str, str], deployed: str | None) -> Iterator[Finding]:
    """Everything, in the order in which one thing rests on the one before."""
    try:
        settings = settings_from(environment)
    except SettingsInvalid as error:
        for name, reason in error.reasons.items():
            yield Finding(f"setting {name}", False, reason, f"set {name}; docs/deploy.md, section 3, says where")
    else:
        yield Finding("settings", True, "everything that is needed is set")
        yield from _store(settings)
    if url := environment.get("DATABASE_URL"):
        yield _row_level_security(url)
    if deployed:
        yield from _deployment(deployed.rstrip("/"))


def _store(settings: Settings) -> Iterator[Finding]:
    """Reachability, the key's role, whether a stranger is kept out, and the clock."""
    base, key = settings.supabase_url.rstrip("/"), settings.supabase_key.reveal()
    instruments, private = f"{base}/rest/v1/instruments?limit=1", f"{base}/rest/v1/{PRIVATE_TABLE}?limit=1"
    answer = _get(instruments, key)
    if answer is None:
        yield Finding("store", False, f"{base} does not answer", "check SUPABASE_URL, and whether the project sleeps")
        return
    yield _answered("store", answer, 200, "migrate it (`marketdata db migrate`), or check the key")
    yield _answered(
        "role", _get(private, key), 200, "SUPABASE_SECRET_KEY must be a secret key, sb_secret_..., not a public one"
    )
    stranger = _get(private, "")
    kept_out = stranger is not None and stranger.status_code in {401, 403}
    yield Finding(
        "stranger", kept_out, _status(stranger), "nobody without a key may read it: apply the migrations of access"
    )
    yield _clock(answer)


def _clock(answer: httpx.Response) -> Finding:
    told = parsedate_to_datetime(answer.headers["Date"]) if "Date" in answer.headers else None
    if told is None:
        return Finding("clock", True, "the store tells no time")
    skew = abs((SystemClock().now() - told.astimezone(UTC)).total_seconds())
    return Finding(
        "clock", skew <= SKEW_SECONDS_MAX, f"{skew:.0f} s from the store's", "let NTP set this machine's clock"
    )


def _row_level_security(url: str) -> Finding:
    try:
        with psycopg.connect(url, connect_timeout=int(SECONDS_MAX)) as connection:
            open_tables = [row[0] for row in connection.execute(_UNPROTECTED)]
    except psycopg.Error as error:
        return Finding("row-level security", False, type(error).__name__, "check DATABASE_URL")
    seen = f"off on {', '.join(open_tables)}" if open_tables else "on for every table"
    return Finding("row-level security", not open_tables, seen, "alter table ... enable row level security")


def _deployment(address: str) -> Iterator[Finding]:
    """The API, the feed behind it, and its doors."""
    ready = _get(f"{address}/v1/health/ready")
    if ready is None:
        yield Finding("api", False, f"{address} does not answer", "check the output Address of the stack, and DNS")
        return
    yield _answered("api", ready, 200, "its answer says what is not ready; docs/runbook-aws.md#api-errors")
    yield _feed(_get(f"{address}/v1/status"))
    for door, setting in (("cron/roll_up", "CRON_SECRET"), ("ingest", "INGEST_API_KEYS")):
        answer = _post(f"{address}/v1/{door}")
        fix = f"set {setting}" if answer is not None and answer.status_code == 503 else f"it must ask for {setting}"
        yield _answered(f"door /v1/{door}", answer, 401, fix)


def _feed(answer: httpx.Response | None) -> Finding:
    fix = "docs/runbook-aws.md#feed-age"
    if answer is None or answer.status_code != 200:
        return Finding("feed", False, _status(answer), fix)
    feeds: list[dict[str, Any]] = answer.json()["feeds"]
    now = SystemClock().now()
    live = [one for one in feeds if one["state"] == "live" and _age(one["updated_at"], now) < FEED_SECONDS_MAX]
    seen = ", ".join(f"{one['exchange']} {one['state']}" for one in feeds) or "none has ever said anything"
    return Finding("feed", bool(live), seen, fix)


def _age(told: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(told)).total_seconds()


def _answered(name: str, answer: httpx.Response | None, wanted: int, fix: str) -> Finding:
    return Finding(name, answer is not None and answer.status_code == wanted, _status(answer), fix)


def _status(answer: httpx.Response | None) -> str:
    return "no answer" if answer is None else f"HTTP {answer.status_code}"


def _get(url: str, key: str = "") -> httpx.Response | None:
    return _asked("GET", url, {"apikey": key, "Authorization": f"Bearer {key}"} if key else {})


def _post(url: str) -> httpx.Response | None:
    return _asked("POST", url, {})


def _asked(method: str, url: str, headers: Mapping[str, str]) -> httpx.Response | None:
    """The answer; None where there is none. A key is never in what is told."""
    try:
        return httpx.request(method, url, headers=headers, timeout=SECONDS_MAX)
    except httpx.TransportError:
        return None
