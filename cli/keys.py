"""`marketdata keys`: who may push data, and read it where reads are closed. A key is shown once, when it is made."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
import typer
from marketdata.clock import SystemClock
from marketdata.errors import NotFound, StoreError
from marketdata.jobs.known_keys import new_key
from marketdata.model.api_key import ApiKey, Scope
from marketdata.model.times import rfc3339
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.house_store import house_store

app = typer.Typer(help="Keys of those who push or read.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Whose it is, for people: a sender, a colleague.")],
    scope: Annotated[Scope, typer.Option(help="ingest pushes data and reads; read reads.")] = Scope.INGEST,
    days: Annotated[int | None, typer.Option(help="It ends after so many days.", min=1, max=3_650)] = None,
    json: Json = False,
) -> None:
    """Make a key. It is shown now and never again: its digest alone is kept. To rotate: make one, revoke the old."""
    now = SystemClock().now()
    secret, key = new_key(name, scope, now, now + timedelta(days=days) if days else None)
    if not house_store().add_key(key):
        raise StoreError("add_key", "the prefix is another key's; try again")
    if json:
        typer.echo(msgspec.json.encode({"key": secret, **_facts(key, now)}).decode())
        return
    typer.echo(secret)
    until = f"until {rfc3339(key.expires_at)}" if key.expires_at else "until it is revoked"
    typer.echo(f"this key of {name} opens {scope} {until}; it is not shown again", err=True)


@app.command("list")
def list_them(json: Json = False) -> None:
    """List all keys that there ever were, oldest first."""
    now = SystemClock().now()
    keys = house_store().keys()
    if json:
        typer.echo(msgspec.json.encode([_facts(key, now) for key in keys]).decode())
        return
    Console().print(keys_table(keys, now))


@app.command("revoke")
def revoke(prefix: Annotated[str, typer.Argument(help="What the key begins with, as `keys list` shows it.")]) -> None:
    """End a key for good. It may let somebody in for another quarter of a minute."""
    if not house_store().revoke_key(prefix, now=SystemClock().now()):
        raise NotFound("prefix", f"no key begins with {prefix[:40]!r}")
    typer.echo(f"{prefix} is revoked", err=True)


def keys_table(keys: Iterable[ApiKey], now: datetime) -> Table:
    """Keys for a person."""
    table = Table("prefix", "name", "opens", "created", "state")
    for key in keys:
        table.add_row(key.prefix, escape(key.name), key.scope, rfc3339(key.created_at), _state(key, now))
    return table


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at:
        return f"revoked {rfc3339(key.revoked_at)}"
    if key.expires_at is None:
        return "good"
    return f"{'good until' if key.is_good(now) else 'ended'} {rfc3339(key.expires_at)}"


def _facts(key: ApiKey, now: datetime) -> dict[str, Any]:
    """What may be shown of a key."""
    times = {"created_at": key.created_at, "expires_at": key.expires_at, "revoked_at": key.revoked_at}
    shown = {name: rfc3339(time) if time else None for name, time in times.items()}
    return {"prefix": key.prefix, "name": key.name, "scope": key.scope, "good": key.is_good(now), **shown}
