"""A local Supabase without Docker: a real Postgres and a real PostgREST on one folder, migrated and ready.

Called by the house (`make up`), by tests and by whoever wants a database for an afternoon. What hosted Supabase has and
migrations rely on is in `sql/platform.sql`; the `/rest/v1` door in front of it is `supabase_gateway.py`.
"""

import fcntl
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psycopg
from psycopg import sql

from local.migrate import MIGRATIONS, apply_migrations
from local.supabase_binaries import NODE_MODULES, LocalSupabaseError, find_postgres, find_postgrest
from local.supabase_keys import SupabaseKeys, read_or_make_keys
from local.supabase_postgres import Postgres
from local.supabase_postgrest import Postgrest

PLATFORM = Path(__file__).resolve().parent / "sql" / "platform.sql"


class LocalSupabase:
    """Postgres and PostgREST on `folder`, which keeps the data, the keys and the logs between runs.

    `fsync`: whether committed data survives a power cut (it survives a crash of ours either way). `max_rows`: the
    silent cap on the rows of an answer, 1,000 as hosted. `migrations`: None leaves the
    database bare. `old_postgres_seconds_max`: how long to wait for one that outlived its starter. Both listen on
    127.0.0.1, on ports that were free.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fsync: bool,
        max_rows: int = 1000,
        migrations: Path | None = MIGRATIONS,
        node_modules: Path = NODE_MODULES,
        old_postgres_seconds_max: float = 10,
        announce: Callable[[str], None] = lambda _sentence: None,
    ) -> None:
        self.folder = folder.resolve()
        self.max_rows = max_rows
        self._fsync = fsync
        self._migrations = migrations
        self._node_modules = node_modules
        self._old_postgres_seconds_max = old_postgres_seconds_max
        self._announce = announce
        self._running = ExitStack()
        self._keys: SupabaseKeys | None = None
        self._postgres: Postgres | None = None
        self._postgrest: Postgrest | None = None

    @property
    def keys(self) -> SupabaseKeys:
        """The folder's keys; there once it was started."""
        assert self._keys is not None, "not started"
        return self._keys

    @property
    def dsn(self) -> str:
        """Postgres itself, as its superuser."""
        assert self._postgres is not None, "not started"
        return self._postgres.dsn

    @property
    def rest_url(self) -> str:
        """PostgREST itself; it knows tokens, not API keys."""
        assert self._postgrest is not None, "not started"
        return f"http://127.0.0.1:{self._postgrest.port}"

    @property
    def anon_key(self) -> str:
        """The key of whoever comes without a right of their own."""
        return self.keys.anon

    @property
    def service_key(self) -> str:
        """The key that opens everything."""
        return self.keys.service

    @property
    def publishable_key(self) -> str:
        """The successor of `anon_key`."""
        return self.keys.publishable

    @property
    def secret_key(self) -> str:
        """The successor of `service_key`."""
        return self.keys.secret

    @property
    def ended(self) -> str:
        """Which part of it runs no more, and why; empty while all do."""
        parts = [part for part in (self._postgres, self._postgrest) if part is not None]
        return "; ".join(part.ended for part in parts if part.ended)

    def start(self) -> Self:
        """Start everything and migrate. Raises: LocalSupabaseError or MigrationFailed; then nothing is left running."""
        postgres_home = find_postgres(self._node_modules)
        postgrest = find_postgrest(self._node_modules)
        try:
            self._start(postgres_home, postgrest)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop everything; the data stays."""
        self._running.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self, postgres_home: Path, postgrest: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._running.callback(_take_folder(self.folder).close)
        self._keys = read_or_make_keys(self.folder / "keys.json")
        self._postgres = Postgres(
            postgres_home,
            self.folder,
            self._keys.postgres_password,
            fsync=self._fsync,
            old_postgres_seconds_max=self._old_postgres_seconds_max,
        )
        self._running.callback(self._postgres.stop)
        self._postgres.start()
        self._prepare_platform()
        if self._migrations is not None:
            apply_migrations(self.dsn, self._migrations, self._announce)
        self._postgrest = Postgrest(postgrest, self.folder, self._keys, max_rows=self.max_rows)
        self._running.callback(self._postgrest.stop)
        self._postgrest.start(self._postgres.port)

    def _prepare_platform(self) -> None:
        prepare_platform(self.dsn)
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            password = sql.Literal(self.keys.authenticator_password)
            connection.execute(sql.SQL("alter role authenticator password {}").format(password))


def prepare_platform(dsn: str) -> None:
    """Give a bare database what hosted Supabase has before the first migration."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("set client_min_messages = warning")
        connection.execute(PLATFORM.read_bytes())


def _take_folder(folder: Path) -> IO[str]:
    """The folder's lock, held until it is closed or we die. Raises: LocalSupabaseError if another process has it."""
    lock = (folder / "lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise LocalSupabaseError(
            f"{folder} is in use by another process ({holder}): stop that one, or give this one another folder"
        ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
