"""`marketdata backfill`: what it takes, and a whole run against a real store and a real server."""

import asyncio
import subprocess
from datetime import timedelta

import pytest
from marketdata.clock import SystemClock
from marketdata.errors import NotFound, RequestInvalid
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.times import rfc3339
from marketdata.store.supabase import SupabaseStore

from cli.backfill import asked_span, choose
from tests.conftest import RunningSupabase
from tests.market import BTC, ETH, MINUTE, at
from tests.unit.cli.test_main import MARKETDATA
from tests.unit.local.exchanges.market import simulator

# Each starts the real command.
pytestmark = pytest.mark.slow

SIMULATED = Instrument("coinbase-simulated", "BTC-USD", "BTC", "USD", simulated=True)


def run(supabase: RunningSupabase, rest_url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        "PATH": "",
        "COLUMNS": "160",
        "SUPABASE_URL": supabase.url,
        "SUPABASE_SERVICE_ROLE_KEY": supabase.service_key,
        "COINBASE_REST_URL": rest_url,
    }
    command = [str(MARKETDATA), "backfill", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


async def test_a_span_is_fetched_and_stored(empty_supabase: RunningSupabase) -> None:
    clock, store = SystemClock(), SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    store.put_instruments([SIMULATED])
    end = M1.floor(clock.now()) - 10 * MINUTE
    async with simulator(clock) as exchange:
        asked = ("--exchange", SIMULATED.exchange, "--from", rfc3339(end - 3 * MINUTE), "--to", rfc3339(end))
        done = await asyncio.to_thread(run, empty_supabase, exchange.url, *asked)
    assert (done.returncode, "3 candles fetched" in done.stderr) == (0, True), done.stderr
    assert len(store.candles(SIMULATED, M1, start=end - 3 * MINUTE, end=end, limit=10)) == 3
    store.close()


def test_an_exchange_that_cannot_be_reached_is_exit_code_4(empty_supabase: RunningSupabase) -> None:
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    store.put_instruments([SIMULATED])
    store.close()
    end = M1.floor(SystemClock().now()) - 20 * MINUTE
    done = run(empty_supabase, "http://127.0.0.1:9", "--from", rfc3339(end - MINUTE), "--to", rfc3339(end))
    assert done.returncode == 4, done.stderr
    assert "cannot be reached" in done.stderr


def test_what_is_not_followed_cannot_be_fetched() -> None:
    with pytest.raises(NotFound, match="XRP-USD"):
        choose([BTC, ETH], None, ["XRP-USD"])
    assert choose([BTC, ETH], "coinbase", []) == [BTC]
    assert choose([BTC, ETH], None, ["ETH-USD"]) == [ETH]


def test_a_span_is_whole_minutes_and_ends_where_candles_may_still_change() -> None:
    newest = at("12:00:30")
    assert asked_span("2026-08-09T10:00:10Z", "2026-08-09T10:01:10Z", newest) == Span(at("10:00"), at("10:02"))
    assert asked_span("2026-08-09T11:59Z", None, newest) == Span(at("11:59"), at("12:00"))
    assert asked_span(None, None, newest) is None
    with pytest.raises(RequestInvalid, match="--from"):
        asked_span("2026-08-09T12:00Z", None, newest)
    with pytest.raises(RequestInvalid, match="--to"):
        asked_span(None, "2026-08-09T12:00Z", newest + timedelta(days=1))
