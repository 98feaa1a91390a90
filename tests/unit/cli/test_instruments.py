"""`marketdata instruments`: any name that people type, and what the exchange lists."""

import asyncio
import os
import subprocess
from datetime import timedelta

import pytest
from marketdata.clock import SystemClock
from marketdata.model.instrument import Instrument
from marketdata.store.supabase import SupabaseStore

from local.exchanges.binance import binance_simulator
from local.exchanges.coinbase import Simulator
from tests.conftest import RunningSupabase
from tests.unit.cli.test_main import MARKETDATA
from tests.unit.local.exchanges.market import TAPE

# Each starts the real command.
pytestmark = pytest.mark.slow

NAME = "binance-simulated"


def run(supabase: RunningSupabase, url: str, *arguments: str, only: str = "") -> "subprocess.CompletedProcess[str]":
    environment = {
        "PATH": "",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "SUPABASE_URL": supabase.url,
        "SUPABASE_SERVICE_ROLE_KEY": supabase.service_key,
        "BINANCE_REST_URL": url,
        "FEED_EXCHANGES": only,
    }
    command = [str(MARKETDATA), "instruments", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


async def test_a_sync_ends_what_is_no_longer_listed_and_names_what_could_be_followed(
    empty_supabase: RunningSupabase,
) -> None:
    clock = SystemClock()
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    gone = Instrument(NAME, "GFTUSDT", "GFT", "USDT", simulated=True)
    store.put_instruments([gone])
    application = binance_simulator(TAPE, clock, listed_at=clock.now() - timedelta(minutes=5))
    async with Simulator(application) as server:
        added = await asyncio.to_thread(run, empty_supabase, server.url, "add", NAME, "btc/usdt")
        rehearsed = await asyncio.to_thread(run, empty_supabase, server.url, "sync", NAME, "--dry-run")
        assert [one.active for one in store.instruments()] == [True, True]
        synced = await asyncio.to_thread(run, empty_supabase, server.url, "sync", NAME)
    assert "following binance-simulated BTCUSDT" in added.stdout, added.stderr
    assert rehearsed.stdout == synced.stdout
    assert "ended: binance-simulated GFTUSDT: ended 2024-12-10" in synced.stdout, synced.stderr
    assert "not followed: ETH-BTC (ETHBTC)" in synced.stdout
    assert [(one.symbol, one.canonical, one.active) for one in store.instruments()] == [
        ("BTCUSDT", "BTC-USDT", True),
        ("GFTUSDT", "GFT-USDT", False),
    ]
    store.close()


def test_a_price_is_part_of_a_quoted_markets_name_and_its_calendar_is_the_usual_one(
    empty_supabase: RunningSupabase,
) -> None:
    for symbol in ("eur/usd", "EUR_USD:BID", "EURUSD:mid", "NAS100_USD"):
        added = run(empty_supabase, "http://127.0.0.1:9", "add", "oanda", symbol)
        assert added.returncode == 0, added.stderr
    refused = run(empty_supabase, "http://127.0.0.1:9", "add", "coinbase", "BTC-USD:bid")
    assert (refused.returncode, "one price" in refused.stderr) == (2, True)
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    assert [(one.symbol, one.canonical, one.calendar.value) for one in store.instruments()] == [
        ("EUR_USD", "EUR-USD", "fx"),
        ("EUR_USD:bid", "EUR-USD:bid", "fx"),
        ("NAS100_USD", "NAS100-USD", "always"),
    ]
    store.close()


def test_a_renamed_market_is_followed_by_its_name_of_today(empty_supabase: RunningSupabase) -> None:
    added = run(empty_supabase, "http://127.0.0.1:9", "add", "binance", "MATICUSDT")
    assert "following binance POLUSDT" in added.stdout, added.stderr


def test_who_adds_what_is_not_followed_here_is_told(empty_supabase: RunningSupabase) -> None:
    added = run(empty_supabase, "http://127.0.0.1:9", "add", "binance", "BTCUSDT", only="coinbase-simulated")
    assert "added binance BTCUSDT, but only coinbase-simulated is followed" in added.stdout, added.stderr


def test_a_name_that_may_be_two_is_refused_with_the_choices(empty_supabase: RunningSupabase) -> None:
    refused = run(empty_supabase, "http://127.0.0.1:9", "add", "binance", "ABCFDUSD")
    assert refused.returncode == 2
    assert "ABC-FDUSD" in refused.stderr
    assert "ABCFD-USD" in refused.stderr
