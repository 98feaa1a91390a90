"""A connection to Postgres itself, as the owner of the schema: what imports and maintenance need."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import psycopg
import typer
from marketdata.errors import SettingsInvalid, StoreError

from cli.house_store import house_environment

DatabaseUrl = Annotated[
    str | None, typer.Option("--database-url", help="postgresql://...; DATABASE_URL if not given.", show_default=False)
]


@contextmanager
def owner_connection(url: str | None, purpose: str) -> Iterator[psycopg.Connection]:
    """In autocommit, UTC and without a statement timeout. Raises: SettingsInvalid without an address; StoreError."""
    url = url or house_environment().get("DATABASE_URL")
    if not url:
        raise SettingsInvalid({"DATABASE_URL": "is required: this speaks to Postgres itself"})
    try:
        # Poolers in transaction mode know no prepared statements.
        with psycopg.connect(url, autocommit=True, connect_timeout=10, prepare_threshold=None) as connection:
            connection.execute("set timezone = 'UTC'")
            connection.execute("set statement_timeout = 0")
            yield connection
    except psycopg.Error as error:
        raise StoreError(purpose, f"{type(error).__name__}: {error}") from error
