"""`marketdata db`: the database's schema, its room, its consistency and its age."""

from datetime import timedelta
from typing import Annotated

import typer
from marketdata.clock import SystemClock
from marketdata.errors import RequestInvalid
from marketdata.settings import history_days
from rich.console import Console
from rich.table import Table

from cli.house_store import house_environment
from cli.owner_connection import DatabaseUrl, owner_connection
from cli.progress import Ticker
from local import maintenance
from local.migrate import MIGRATIONS, apply_migrations

app = typer.Typer(help="The database: migrate, check, analyze, partitions, prune.", no_args_is_help=True)

FOUND = 1
"""The exit code of a check that found something."""


@app.command()
def migrate(
    url: Annotated[
        str | None,
        typer.Option(help="postgresql://... of the database; DATABASE_URL if not given.", show_default=False),
    ] = None,
) -> None:
    """Apply the migrations that the database does not have yet; the Supabase CLI sees the same history."""
    url = url or house_environment().get("DATABASE_URL")
    if not url:
        raise RequestInvalid("--url", "name the database, or set DATABASE_URL")
    applied = apply_migrations(url, MIGRATIONS, lambda line: typer.echo(line, err=True))
    typer.echo(f"{len(applied)} applied" if applied else "up to date")


@app.command()
def check(database_url: DatabaseUrl = None) -> None:
    """Compare coverage and rollups with the minutes themselves. Exit code 1: something is wrong, and printed."""
    with owner_connection(database_url, "check") as connection:
        found = maintenance.problems(connection)
    for sentence in found:
        typer.echo(sentence)
    if found:
        raise typer.Exit(FOUND)
    typer.echo("consistent", err=True)


@app.command()
def analyze(database_url: DatabaseUrl = None) -> None:
    """Bring the planner's statistics up to date, as after a large import."""
    with owner_connection(database_url, "analyze") as connection:
        maintenance.analyze(connection)


@app.command()
def partitions(
    database_url: DatabaseUrl = None,
    ahead: Annotated[int, typer.Option(help="Make room for so many days from now on.", min=0, max=3_650)] = 0,
) -> None:
    """List the partitions with their sizes; with --ahead, make room first."""
    with owner_connection(database_url, "partitions") as connection:
        if ahead:
            made = maintenance.make_room(connection, SystemClock().now(), timedelta(days=ahead))
            typer.echo(f"{made} made", err=True)
        found = maintenance.partitions(connection)
    table = Table("partition", "from", "to", "MB", "rows, about")
    for one in found:
        table.add_row(
            one.name, f"{one.start:%Y-%m-%d}", f"{one.end:%Y-%m-%d}", f"{one.bytes / 1e6:.1f}", f"{one.rows:,}"
        )
    Console().print(table)


@app.command()
def prune(
    database_url: DatabaseUrl = None,
    keep: Annotated[
        list[str] | None, typer.Option(help="Keep so much from now on: 1m=400d, 1h=3650d, ticks=30d, quotes=90d.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what is kept, and change nothing.")] = False,
) -> None:
    """Forget what is older than is kept; the scheduled roll_up does the same, a step a minute. Coarser candles stay."""
    history = timedelta(days=history_days(house_environment()))
    rules = maintenance.rules_from(keep or [], history)
    with owner_connection(database_url, "prune") as connection:
        if not dry_run:
            maintenance.keep(connection, rules)
        for what, age in {**maintenance.kept(connection), **rules}.items():
            typer.echo(f"{what}: {age.days} days")
        if dry_run:
            return
        with Ticker("pruning") as ticker:
            steps = maintenance.prune(connection, SystemClock().now(), lambda step: ticker.show(f"step {step}"))
    typer.echo(f"{steps} steps" if steps else "nothing is older than is kept", err=True)
