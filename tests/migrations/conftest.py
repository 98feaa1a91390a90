"""Fixtures of the tests that speak to the database itself."""

from collections.abc import Iterator

import pytest

from tests.conftest import RunningSupabase
from tests.migrations.database import Database


@pytest.fixture
def database(empty_supabase: RunningSupabase) -> Iterator[Database]:
    """An empty database with one connection to it."""
    opened = Database(empty_supabase.dsn)
    with opened.connection:
        yield opened


@pytest.fixture
def market(database: Database) -> Database:
    """The same with one instrument, number 1, that keeps every timeframe."""
    assert database.add_instrument() == 1
    return database
