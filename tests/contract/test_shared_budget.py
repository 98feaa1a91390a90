"""One budget among real processes: over PostgREST, with a real exchange to be polite to."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from marketdata.clock import SystemClock
from marketdata.errors import RemoteThrottled
from marketdata.exchange_access import shared_budget
from marketdata.exchanges.exchange import Request
from marketdata.exchanges.registry import adapter_for
from marketdata.net.rest import Rest
from marketdata.store.supabase import SupabaseStore

from tests.conftest import RunningSupabase
from tests.unit.net.test_rest import exchange

pytestmark = pytest.mark.stack

_OTHER_PROCESS = """
import sys, time
from marketdata.clock import SystemClock
from marketdata.errors import RemoteThrottled
from marketdata.exchanges.exchange import Request
from marketdata.net.rest import Rest
from marketdata.exchange_access import shared_budget
from marketdata.wiring import settings, store_from

rest = Rest("coinbase", sys.argv[1], shared_budget(store_from(settings()), "coinbase"), SystemClock(), sleep=time.sleep)
try:
    for _ in range(int(sys.argv[2])):
        rest.get(Request("/x"))
except RemoteThrottled as throttled:
    print("throttled", throttled.reason)
"""


@pytest.fixture
def store(empty_supabase: RunningSupabase) -> Iterator[SupabaseStore]:
    """The store of this process."""
    opened = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    yield opened
    opened.close()


def environment(supabase: RunningSupabase) -> dict[str, str]:
    return {"SUPABASE_URL": supabase.url, "SUPABASE_SERVICE_ROLE_KEY": supabase.service_key}


def other_process(supabase: RunningSupabase, url: str, requests: int) -> "subprocess.Popen[str]":
    """A worker of its own that makes so many requests."""
    path = {"PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", _OTHER_PROCESS, url, str(requests)]
    return subprocess.Popen(command, env=path | environment(supabase), stdout=subprocess.PIPE, text=True)


def here(store: SupabaseStore, url: str) -> Rest:
    """A worker of this process."""
    return Rest("coinbase", url, shared_budget(store, "coinbase"), SystemClock(), sleep=time.sleep, wait_seconds_max=5)


def test_an_exchange_that_asks_one_process_for_patience_gets_it_from_all(
    empty_supabase: RunningSupabase, store: SupabaseStore
) -> None:
    with exchange(429, Retry_After="60") as (strict, asked):
        said, _ = other_process(empty_supabase, strict, 5).communicate(timeout=60)
    assert (said.startswith("throttled HTTP 429"), len(asked)) == (True, 1), said
    with exchange(200) as (url, asked):
        rest = here(store, url)
        with pytest.raises(RemoteThrottled) as throttled:
            rest.get(Request("/x"))
        rest.close()
        again, _ = other_process(empty_supabase, url, 1).communicate(timeout=60)
    assert timedelta(seconds=30) < throttled.value.retry_at - datetime.now(UTC) < timedelta(seconds=61)
    assert (again.split()[0], asked) == ("throttled", [])
    (limit,) = store.limited_exchanges()
    assert (limit.exchange, limit.reason) == ("coinbase", "HTTP 429")


def test_two_processes_keep_one_pace_together(empty_supabase: RunningSupabase) -> None:
    adapter, each = adapter_for("coinbase"), 13
    with exchange(200) as (url, asked):
        began = time.monotonic()
        workers = [other_process(empty_supabase, url, each) for _ in range(2)]
        said = [worker.communicate(timeout=60)[0] for worker in workers]
        took = time.monotonic() - began
    assert (said, len(asked)) == (["", ""], 2 * each)
    assert took >= (2 * each - adapter.requests_burst - 1) / adapter.requests_per_second
