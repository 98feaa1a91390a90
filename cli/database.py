"""`marketdata db`: the database's schema."""

from typing import Annotated

import typer
from marketdata.errors import RequestInvalid

from cli.house_store import house_environment
from local.migrate import MIGRATIONS, apply_migrations

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


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
