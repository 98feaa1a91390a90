"""`marketdata alerts targets`: whom alerts are sent to. Addresses and keys are never shown."""

import secrets
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated

import typer
from marketdata.clock import SystemClock
from marketdata.compute.quiet_hours import quiet_hours
from marketdata.errors import NotFound, RequestInvalid
from marketdata.jobs.deliver_alerts import SIGNED
from marketdata.model.alert import Severity
from marketdata.model.alert_target import ENVIRONMENT, Target, TargetKind
from marketdata.net.public_address import public_door
from marketdata.serve.webhook_signature import PREFIX, key_of
from marketdata.settings import settings_from
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.house_store import house_environment, house_store

app = typer.Typer(help="Whom alerts are sent to.", no_args_is_help=True)

PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"
KEY_BYTES = 32

Name = Annotated[str, typer.Argument(help="Of the target.")]


@app.command("list")
def list_them() -> None:
    """List the targets, without their addresses."""
    Console().print(targets_table(house_store().alert_desk(now=SystemClock().now()).targets))


@app.command("add")
def add(
    name: Name,
    kind: Annotated[TargetKind, typer.Option(help="What it understands.")] = TargetKind.GENERIC,
    url: Annotated[str | None, typer.Option(help="Its address; of pagerduty, if not theirs.")] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(help="What signs, newest first; repeat to rotate. PagerDuty's routing key."),
    ] = None,
    min_severity: Annotated[Severity, typer.Option(help="From which severity it hears.")] = Severity.WARNING,
    quiet: Annotated[str | None, typer.Option(help='Quiet hours: "22:00-07:00 Europe/Berlin".')] = None,
) -> None:
    """Add a target, or replace the one of that name. A key that is made for it is shown once."""
    settings = settings_from(house_environment())
    if name == ENVIRONMENT:
        raise RequestInvalid("name", f"{name} is the target of the settings: set ALERT_WEBHOOK_URL")
    address = url or (PAGERDUTY_URL if kind is TargetKind.PAGERDUTY else "")
    # Before anybody relies on it; it is judged again at every try.
    _check(address, allow_local=settings.local and settings.alert_allow_local)
    keys, made = _keys(kind, secret or [])
    hours = quiet_hours(quiet) if quiet else None
    house_store().put_target(Target(name, kind, address, keys, min_severity, hours))
    if made:
        typer.echo(made)
        typer.echo(f"this key signs what {name} gets; it is not shown again", err=True)


@app.command("remove")
def remove(name: Name) -> None:
    """Remove a target, and give up what waits for it."""
    if not house_store().remove_target(name):
        raise _unknown(name)


@app.command("enable")
def enable(name: Name) -> None:
    """Send to a target again."""
    _set(name, enabled=True)


@app.command("disable")
def disable(name: Name) -> None:
    """Send nothing to a target for now; what waits for it stays."""
    _set(name, enabled=False)


@app.command("secret")
def secret() -> None:
    """Show what signs messages to the target of the settings, for its receiver."""
    settings = settings_from(house_environment())
    for one in settings.alert_webhook_secrets:
        typer.echo(one.reveal())


def _check(address: str, *, allow_local: bool) -> None:
    try:
        public_door(address, allow_local=allow_local)
    except OSError as error:
        raise RequestInvalid("url", "its host is not found") from error


def _keys(kind: TargetKind, given: list[str]) -> tuple[tuple[str, ...], str]:
    """The keys, and the one that was made. Raises: RequestInvalid for one that cannot be."""
    if kind is TargetKind.PAGERDUTY and len(given) != 1:
        raise RequestInvalid("secret", "must be the routing key of a PagerDuty service")
    if kind not in SIGNED:
        return tuple(given), ""
    for one in given:
        key_of(one)
    made = "" if given else PREFIX + b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    return tuple(given) or (made,), made


def _set(name: str, *, enabled: bool) -> None:
    store = house_store()
    known = {one.name: one for one in store.alert_desk(now=SystemClock().now()).targets}
    if name not in known:
        raise _unknown(name)
    store.put_target(replace(known[name], enabled=enabled, disabled_reason=""))


def _unknown(name: str) -> NotFound:
    return NotFound("target", f"there is no target {name[:60]!r}")


def targets_table(targets: Iterable[Target]) -> Table:
    """Targets for a person."""
    table = Table("name", "kind", "from", "quiet", "state")
    for one in targets:
        quiet = f"{one.quiet.start}-{one.quiet.end} {one.quiet.zone}" if one.quiet else ""
        state = "enabled" if one.enabled else f"disabled {one.disabled_reason}".strip()
        table.add_row(escape(one.name), one.kind.value, one.min_severity.value, quiet, escape(state))
    return table
