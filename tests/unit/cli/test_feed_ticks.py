"""`marketdata feed-ticks` against the functions themselves, over HTTP, on a real database."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from marketdata.errors import RequestInvalid
from marketdata.model.span import Span
from marketdata.store.supabase import SupabaseStore

from cli.feed_ticks import parse_duration, webhook_url
from local.api_gateway import add_api_routes
from local.exchanges.server import Server
from local.tick_stream import TickStream
from tests.conftest import RunningSupabase
from tests.market import at

MARKETDATA = Path(sys.executable).with_name("marketdata")
START = "2026-08-09T10:00:00Z"
ORDER = ("--symbols", "BTCUSDT,ETHUSDT", "--rate", "5", "--seed", "3", "--start", START, "--json")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://localhost:8100", "http://localhost:8100/v1/webhooks"),
        ("http://localhost:3030/api/v1", "http://localhost:3030/api/v1/webhooks"),
        ("https://a.example/prod/v1/webhooks/ticks/", "https://a.example/prod/v1/webhooks"),
    ],
)
def test_the_webhook_is_found_below_any_address_of_the_api(given: str, meant: str) -> None:
    assert webhook_url(given) == meant


def test_what_is_no_address_or_no_duration_is_refused() -> None:
    with pytest.raises(RequestInvalid):
        webhook_url("localhost:8100")
    for text in ("0", "5x", "", "-1m"):
        with pytest.raises(RequestInvalid):
            parse_duration(text)
    assert [parse_duration(text) for text in ("90", "90s", "2m", "1h")] == [
        timedelta(seconds=90),
        timedelta(seconds=90),
        timedelta(minutes=2),
        timedelta(hours=1),
    ]


@pytest.fixture
async def api(empty_supabase: RunningSupabase, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    """The API as a house has it, over an empty database."""
    monkeypatch.setenv("SUPABASE_URL", empty_supabase.url)
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", empty_supabase.service_key)
    monkeypatch.setenv("INGEST_API_KEYS", "the-feeders-key")
    app = web.Application()
    add_api_routes(app)
    async with Server(app) as server:
        yield server


async def feed(url: str, *arguments: str, key: str = "the-feeders-key") -> "subprocess.CompletedProcess[str]":
    command = [str(MARKETDATA), "feed-ticks", "--url", url, *arguments]
    return await asyncio.to_thread(
        subprocess.run,
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "INGEST_API_KEYS": key},
    )


def counts(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.mark.stack
async def test_a_minute_is_fed_once_however_often_and_goes_on_where_it_stopped(
    api: Server, empty_supabase: RunningSupabase
) -> None:
    whole = [
        item
        for items, _ in TickStream(3, 5, ("BTCUSDT", "ETHUSDT")).batches(Span(at("10:00"), at("10:01")), 1_000)
        for item in items
    ]
    first = counts(await feed(api.url, *ORDER, "--count", "100", "--batch", "30"))
    assert (first["sent"], first["accepted"], first["batches"]) == (100, 100, 4)
    rest = counts(await feed(api.url, *ORDER[:-3], "--start", first["told_until"], "--json", "--duration", "60s"))
    assert rest["rejected"] == 0
    again = counts(await feed(f"{api.url}/api/v1", *ORDER, "--duration", "60s"))
    assert (again["sent"], again["accepted"], again["duplicates"]) == (len(whole), 0, len(whole))
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    try:
        bitcoin, ether = store.instruments()
        assert (bitcoin.exchange, bitcoin.simulated, bitcoin.pushed) == ("webhook-simulated", True, True)
        held = [
            (one.symbol, one.id)
            for instrument in (bitcoin, ether)
            for one in store.trades(instrument, Span(at("10:00"), at("10:01")), limit=10_000)
        ]
        assert sorted(held) == sorted((item["symbol"], item["id"]) for item in whole)
    finally:
        store.close()


@pytest.mark.stack
async def test_without_the_right_key_it_says_which_setting_and_ends(api: Server) -> None:
    done = await feed(api.url, *ORDER, "--count", "1", key="another")
    assert done.returncode == 5
    assert "INGEST_API_KEYS" in done.stderr
    assert "another" not in done.stdout + done.stderr
