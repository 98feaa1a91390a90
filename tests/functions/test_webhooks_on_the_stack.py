"""Ticks pushed at a real database by several pushers at once, through the functions as they are deployed."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from marketdata.clock import SystemClock
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.take_ticks import Taken
from marketdata.jobs.take_webhooks import take_symbols, take_webhook_ticks
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.supabase import SupabaseStore
from marketdata.wiring import close_shared_store

from infra.catalog import function_named
from local.invocation import load_handler
from tests.conftest import RunningSupabase
from tests.functions.calls import call, event, get

pytestmark = pytest.mark.stack
BASE = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=30)
PUSHERS = 4


@pytest.fixture
def store(empty_supabase: RunningSupabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[SupabaseStore]:
    """The store that the functions find in the environment."""
    monkeypatch.setenv("SUPABASE_URL", empty_supabase.url)
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", empty_supabase.service_key)
    monkeypatch.setenv("INGEST_API_KEYS", "an-ingest-key")
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    yield store
    close_shared_store()
    store.close()


def ticks(count: int, dice: Random) -> list[dict[str, Any]]:
    """Of three minutes, some alike, some of one moment, none with an id."""
    return [
        {
            "symbol": "BTCUSDT",
            "ts": (BASE + timedelta(seconds=dice.randrange(180), microseconds=dice.randrange(3))).isoformat(),
            "price": dice.randrange(1, 50),
            "volume": "0.25",
        }
        for _ in range(count)
    ]


def test_pushers_at_once_with_retries_lose_and_double_nothing(store: SupabaseStore) -> None:
    dice = Random(7)
    whole = ticks(600, dice)
    distinct = {json.dumps(one) for one in whole}
    take_symbols(store, b'{"symbol": "BTCUSDT"}')
    clock = SystemClock()
    known = KnownInstruments(store, clock)

    def push(batch: list[dict[str, Any]]) -> Taken:
        return take_webhook_ticks(store, known, clock, json.dumps(batch).encode(), ids_contiguous=lambda _: False)

    once = [json.loads(one) for one in sorted(distinct)]
    batches = [once[start : start + 50] for start in range(0, len(once), 50)] * 2
    dice.shuffle(batches)
    with ThreadPoolExecutor(PUSHERS) as pushers:
        taken = list(pushers.map(push, batches))
    assert sum(one.accepted for one in taken) == sum(one.duplicates for one in taken) == len(once)
    (instrument,) = store.instruments()
    kept = store.trades(instrument, Span(BASE, BASE + timedelta(minutes=3)), limit=10_000)
    assert len(kept) == len(once)
    held = store.candles(instrument, M1, start=None, end=None, limit=10)
    assert sum(one.volume for one in held) == Decimal("0.25") * len(once)
    assert sum(one.trades or 0 for one in held) == len(once)
    for candle in held:
        of_minute = [one for one in kept if M1.floor_ns(one.time_ns) == int(candle.open_time.timestamp()) * 10**9]
        prices = [one.price for one in of_minute]
        folded = (prices[0], max(prices), min(prices), prices[-1])
        assert (candle.open, candle.high, candle.low, candle.close) == folded


def test_the_seeds_walk_from_symbol_to_tick_to_history(store: SupabaseStore) -> None:
    ingest, api = load_handler(function_named("ingest")), load_handler(function_named("api"))
    headers = {"x-api-key": "an-ingest-key", "idempotency-key": "one"}

    def post(path: str, body: object) -> Any:
        return call(ingest, event("POST", f"/api/v1/webhooks/{path}", headers=headers, body=json.dumps(body))).json

    symbol = {"symbol": "BTCUSDT", "base": "BTC", "quote": "USDT", "active": True}
    assert post("symbols", {"items": [symbol]})["accepted"] == 1
    headers["idempotency-key"] = "two"
    minutes = [
        {"symbol": "BTCUSDT", "price": number, "volume": 1, "ts": (BASE + number * timedelta(minutes=1)).isoformat()}
        for number in range(1, 13)
    ]
    assert post("ticks", minutes) == {"accepted": 12, "duplicates": 0, "rejected": []}
    assert post("ticks", minutes) == {"accepted": 12, "duplicates": 0, "rejected": []}, "answered as before"
    headers["idempotency-key"] = "three"
    assert post("ticks", minutes) == {"accepted": 0, "duplicates": 12, "rejected": []}
    history = get(api, "/api/v1/ticks/BTCUSDT/history", view="ohlc1m", limit="30").json["data"]
    assert [one["close"] for one in history] == [str(number) for number in range(1, 13)]
    assert [one["sma10"] for one in history] == [None] * 9 + ["5.5", "6.5", "7.5"]
    newest = get(api, "/api/v1/ticks/BTCUSDT", limit="2").json["data"]
    assert [one["price"] for one in newest] == ["12", "11"]
