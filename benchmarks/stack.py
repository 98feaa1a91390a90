"""The whole local stack for a benchmark: embedded Postgres with fsync, the real PostgREST, the gateway."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from marketdata.store.supabase import SupabaseStore

from local.supabase import LocalSupabase
from local.supabase_gateway import SupabaseGateway


@dataclass(frozen=True, slots=True)
class Stack:
    """A running local Supabase: its store, Postgres itself, and the door of both with its key."""

    store: SupabaseStore
    connection: psycopg.Connection
    url: str
    service_key: str


@contextmanager
def running_stack(announce: Callable[[str], None]) -> Iterator[Stack]:
    """A migrated, empty database in a temporary folder. Raises: BinariesMissing where npm did not install it."""
    announce("starting Postgres, PostgREST and the gateway in a temporary folder")
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalSupabase(Path(folder), fsync=True) as supabase,
        SupabaseGateway(supabase.rest_url, supabase.keys) as gateway,
        psycopg.connect(supabase.dsn, autocommit=True) as connection,
    ):
        store = SupabaseStore(gateway.url, supabase.service_key)
        yield Stack(store, connection, gateway.url, supabase.service_key)
        store.close()
