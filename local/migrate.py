"""Applies the migrations of a folder to a database, and keeps the same books as the Supabase CLI.

Either may go on where the other stopped: history is `supabase_migrations.schema_migrations`, as `supabase db push`
writes it. Called by the local Supabase at every start and by `marketdata db migrate`.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from marketdata.errors import MarketDataError

MIGRATIONS = Path(__file__).resolve().parents[1] / "migrations"
LOCK_SECONDS_MAX = 30
_FILE_NAME = re.compile(r"(\d+)_(.*)\.sql")


class MigrationFailed(MarketDataError):
    """A migration could not be applied; the database is as it was before that file."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of the folder: `<version>_<name>.sql`."""

    version: str
    name: str
    path: Path


def apply_migrations(
    dsn: str, folder: Path = MIGRATIONS, announce: Callable[[str], None] = lambda _sentence: None
) -> list[str]:
    """Apply what the database does not have yet, each file in one transaction; returns the file names applied.

    Two runners at once wait for each other. Raises: MigrationFailed if the database cannot be reached, has migrations
    that the folder has not, or refuses a file.
    """
    migrations = _read_folder(folder)
    with _connected(dsn) as connection:
        _prepare_history(connection)
        _refuse_strangers(connection, migrations, folder)
        applied = [migration.path.name for migration in migrations if _apply(connection, migration, announce)]
        if applied:
            connection.execute("notify pgrst, 'reload schema'")
    return applied


def _read_folder(folder: Path) -> list[Migration]:
    """The migrations of the folder, oldest first; other files are not ours."""
    matches = [(path, _FILE_NAME.fullmatch(path.name)) for path in sorted(folder.glob("*.sql"))]
    migrations = [Migration(match[1], match[2], path) for path, match in matches if match]
    if not migrations:
        raise MigrationFailed(f"there are no migrations in {folder}")
    return migrations


@contextmanager
def _connected(dsn: str) -> Iterator[psycopg.Connection]:
    try:
        # Poolers in transaction mode know no prepared statements.
        connection = psycopg.connect(dsn, autocommit=True, connect_timeout=10, prepare_threshold=None)
    except psycopg.Error as error:
        raise MigrationFailed(f"the database cannot be reached: {_first_line(error)}") from error
    with connection:
        yield connection


def _prepare_history(connection: psycopg.Connection) -> None:
    """The CLI's table of what was applied, as the CLI makes it."""
    with _explained("the table of applied migrations"), connection.transaction():
        connection.execute("set local client_min_messages = warning")
        _lock(connection)
        connection.execute("create schema if not exists supabase_migrations")
        connection.execute(
            "create table if not exists supabase_migrations.schema_migrations"
            " (version text not null primary key, statements text[], name text)"
        )


def _refuse_strangers(connection: psycopg.Connection, migrations: list[Migration], folder: Path) -> None:
    rows = connection.execute("select version from supabase_migrations.schema_migrations").fetchall()
    unknown = {str(row[0]) for row in rows} - {migration.version for migration in migrations}
    if unknown:
        raise MigrationFailed(
            f"the database has migrations that {folder} has not ({', '.join(sorted(unknown))}):"
            " it belongs to a newer version or to something else, so nothing was changed"
        )


def _apply(connection: psycopg.Connection, migration: Migration, announce: Callable[[str], None]) -> bool:
    """Apply one file unless it is there; True if it was new."""
    text = migration.path.read_bytes()
    with _explained(migration.path.name), connection.transaction():
        _lock(connection)
        known = connection.execute(
            "select from supabase_migrations.schema_migrations where version = %s", (migration.version,)
        )
        if known.rowcount:
            return False
        announce(f"applying {migration.path.name}")
        # Without parameters psycopg speaks the simple protocol, which takes many statements at once.
        connection.execute(text)
        connection.execute(
            "insert into supabase_migrations.schema_migrations (version, statements, name) values (%s, %s, %s)",
            (migration.version, [text.decode("utf-8")], migration.name),
        )
    return True


def _lock(connection: psycopg.Connection) -> None:
    """One runner at a time, until the end of the transaction; a session's lock would not survive a pooler."""
    connection.execute(f"set local lock_timeout = '{LOCK_SECONDS_MAX}s'")
    connection.execute("select pg_advisory_xact_lock(hashtext('supabase_migrations'))")


@contextmanager
def _explained(subject: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise MigrationFailed(f"{subject}: {_first_line(error)}") from error


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
