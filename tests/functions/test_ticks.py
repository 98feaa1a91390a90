"""Ticks and their history over the API, on the seeds' path and on ours."""

import json
from typing import Any

import pytest
from marketdata.clock import FakeClock
from marketdata.observe import Handler
from marketdata.store.memory import MemoryStore

from functions.api.handler import application as api_of
from functions.ingest.handler import application as ingest_of
from tests.functions.calls import Answer, call, event, get, settings
from tests.market import at

NOW = at("12:00")
PREFIXES = ("/v1", "/api/v1")


def tick(clock: str, price: int, **more: object) -> dict[str, Any]:
    return {"symbol": "BTCUSDT", "ts": at(clock).isoformat(), "price": price, "volume": "0.5", **more}


def ask(api: Handler, path: str, query: dict[str, str]) -> Answer:
    return call(api, event("GET", path, query))


def api_over(*ticks: dict[str, Any]) -> Handler:
    """The API, after these ticks came in."""
    store, clock = MemoryStore(), FakeClock(NOW)
    local = settings(MARKETDATA_LOCAL="1")
    ingest = ingest_of(store, local, clock)
    symbols = {"items": [{"symbol": "BTCUSDT", "exchange": "webhook-simulated"}]}
    for path, body in (("symbols", symbols), ("ticks", list(ticks))):
        answer = call(ingest, event("POST", f"/v1/webhooks/{path}", body=json.dumps(body)))
        assert answer.json["rejected"] == []
    return api_of(store, local, clock)


MINUTES = [tick(f"10:{minute:02}:{second:02}", minute * 10 + second) for minute in range(12) for second in (1, 5, 9)]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_newest_ticks_come_first_with_who_took_if_somebody_said(prefix: str) -> None:
    api = api_over(tick("10:00", 1, id=1, side="sell"), tick("10:01", 2, id=2))
    newest, oldest = get(api, f"{prefix}/ticks/BTCUSDT").json["data"]
    assert newest == {
        "exchange": "webhook-simulated",
        "symbol": "BTCUSDT",
        "id": 2,
        "time": "2026-08-09T10:01:00Z",
        "price": "2",
        "size": "0.5",
        "side": None,
        "trades": 1,
        "simulated": True,
    }
    assert (oldest["id"], oldest["side"]) == (1, "sell")


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", ["1", "2", "5", "100"])
def test_pages_hold_every_tick_once_in_order(order: str, limit: str) -> None:
    same_moment = [tick("10:30", price, id=price) for price in (7, 8, 9)]
    api = api_over(*MINUTES, *same_moment)
    query = {"order": order, "limit": limit}
    seen: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = ask(api, "/v1/ticks/btc-usdt", query | cursor).json
        seen += page["data"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert len(seen) == len({(one["time"], one["id"]) for one in seen}) == 39
    times = [one["time"] for one in seen]
    assert times == sorted(times, reverse=order == "desc")


def test_a_span_is_half_open() -> None:
    query = {"start": "2026-08-09T10:01:01Z", "end": "2026-08-09T10:02:01Z", "order": "asc"}
    data = ask(api_over(*MINUTES), "/v1/ticks/BTCUSDT", query).json["data"]
    assert [one["price"] for one in data] == ["11", "15", "19"]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_history_is_candles_with_volume_and_the_mean_of_ten_closes_once_there_are_ten(prefix: str) -> None:
    answer = get(api_over(*MINUTES), f"{prefix}/ticks/BTCUSDT/history", view="ohlc1m", limit="30").json
    data = answer["data"]
    assert len(data) == 12
    assert data[0] == {
        "time": "2026-08-09T10:00:00Z",
        "open": "1",
        "high": "9",
        "low": "1",
        "close": "9",
        "volume": "1.5",
        "trades": 3,
        "sma10": None,
        "complete": False,
        "source": "partial",
    }
    assert [one["sma10"] for one in data] == [None] * 9 + ["54", "64", "74"]
    assert answer["meta"] == {"as_of": "2026-08-09T12:00:00Z", "simulated": True}


def test_the_mean_of_the_first_candle_shown_comes_from_those_before_it() -> None:
    data = get(api_over(*MINUTES), "/v1/ticks/BTCUSDT/history", limit="2").json["data"]
    assert [one["sma10"] for one in data] == ["64", "74"]


def test_a_hole_has_no_mean_behind_it() -> None:
    whole = [one for one in MINUTES if "10:05" not in one["ts"]]
    data = get(api_over(*whole), "/v1/ticks/BTCUSDT/history").json["data"]
    assert [one["sma10"] for one in data] == [None] * 11


def test_numbers_may_be_numbers() -> None:
    api = api_over(*MINUTES)
    assert get(api, "/v1/ticks/BTCUSDT", decimals="number", limit="1").json["data"][0]["price"] == 119
    history = get(api, "/v1/ticks/BTCUSDT/history", decimals="number", limit="1").json["data"][0]
    assert (history["close"], history["sma10"]) == (119, 74)


@pytest.mark.parametrize(
    ("path", "query", "problem"),
    [
        ("/v1/ticks/XRPUSDT", {}, "/problems/unknown-symbol"),
        ("/v1/ticks/XRPUSDT/history", {}, "/problems/unknown-symbol"),
        ("/v1/ticks/BTCUSDT", {"limit": "0"}, "/problems/invalid-parameter"),
        ("/v1/ticks/BTCUSDT", {"view": "ohlc1m"}, "/problems/invalid-parameter"),
        ("/v1/ticks/BTCUSDT", {"cursor": "AAAA"}, "/problems/invalid-parameter"),
        ("/v1/ticks/BTCUSDT", {"start": "2026-08-09", "end": "2026-08-09"}, "/problems/invalid-parameter"),
        ("/v1/ticks/BTCUSDT/history", {"view": "ohlc2m"}, "/problems/invalid-parameter"),
        ("/v1/ticks/BTCUSDT/history", {"limit": "1001"}, "/problems/invalid-parameter"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(path: str, query: dict[str, str], problem: str) -> None:
    assert ask(api_over(), path, query).problem == problem
