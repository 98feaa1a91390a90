"""What the system says of itself."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from marketdata.clock import FakeClock
from marketdata.compute.continuity import Contiguity
from marketdata.jobs.report_status import NEWEST_MAX, list_instruments, report_status
from marketdata.model.instrument import Instrument
from marketdata.store.answers import FeedStatus, TroubledInstrument
from marketdata.store.memory import MemoryStore

from tests.market import BTC, a_store, at, candle

NOW = at("12:00")


def status_of(store: MemoryStore) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(report_status(store, NOW))
    return report


def feed(state: str, age_seconds: float, exchange: str = "coinbase") -> FeedStatus:
    spoke = NOW - timedelta(seconds=age_seconds)
    return FeedStatus(exchange, "feed-1", state, at("11:00"), spoke, last_trade_at=spoke, symbols=1, trades=7)


def test_a_feed_that_speaks_is_what_it_says() -> None:
    store = a_store()
    store.put_feed_status(feed("live", 2.5))
    report = status_of(store)["feeds"][0]
    assert (report["state"], report["age_seconds"], report["trade_age_seconds"]) == ("live", 2.5, 2.5)
    assert (report["updated_at"], report["last_message_at"]) == ("2026-08-09T11:59:57.500000Z", None)


def test_a_feed_that_fell_silent_is_unknown_whatever_it_said_last() -> None:
    store = a_store()
    store.put_feed_status(feed("live", 31))
    assert status_of(store)["feeds"][0]["state"] == "unknown"


def test_a_feed_that_said_it_stopped_has_stopped() -> None:
    store = a_store()
    store.put_feed_status(feed("stopped", 3600))
    assert status_of(store)["feeds"][0]["state"] == "stopped"


def test_what_the_trade_ids_showed_is_told_in_sum_and_of_the_worst() -> None:
    store = a_store()
    counts = Contiguity(trades=9, duplicates=1, holes=2, mended=3, absent=4, conflicting=5, backwards=6)
    troubled = TroubledInstrument("BTC-USD", 7, counts)
    store.put_feed_status(replace(feed("live", 1), contiguity=counts, missing=7, troubled=(troubled,)))
    report = status_of(store)["feeds"][0]
    assert report["contiguity"]["violations"] == 15
    assert (report["contiguity"]["missing"], report["contiguity"]["mended"]) == (7, 3)
    assert report["troubled"] == [{"symbol": "BTC-USD", "contiguity": report["contiguity"]}]


def test_an_exchange_that_asked_for_silence_is_named_until_it_is_over() -> None:
    store = MemoryStore(FakeClock(NOW))
    store.block_exchange("coinbase", seconds=60, reason="HTTP 429")
    store.block_exchange("kraken", seconds=0, reason="HTTP 429")
    limit = {"exchange": "coinbase", "limited_until": "2026-08-09T12:01:00Z", "reason": "HTTP 429"}
    assert status_of(store)["limits"] == [limit]


def test_the_simulator_is_never_taken_for_an_exchange() -> None:
    store = a_store()
    store.put_feed_status(feed("live", 1, "coinbase-simulated"))
    store.put_feed_status(feed("live", 2))
    report = status_of(store)
    assert report["simulated"] is True
    assert [(one["exchange"], one["simulated"]) for one in report["feeds"]] == [
        ("coinbase-simulated", True),
        ("coinbase", False),
    ]


def test_each_instrument_shows_its_newest_candle_or_that_there_is_none() -> None:
    store = a_store()
    store.put_candles([candle(at("11:58"), price="99.50"), candle(at("11:59"))])
    btc, eth = status_of(store)["instruments"]
    assert btc["newest"] == {
        "open_time": "2026-08-09T11:59:00Z",
        "close": "100.5",
        "source": "proven",
        "age_seconds": 60,
    }
    assert eth["newest"] is None


def test_beyond_the_first_instruments_the_newest_is_left_out_and_not_null() -> None:
    store = MemoryStore()
    store.put_instruments([Instrument("coinbase", f"{place:03}-USD", f"{place:03}", "USD") for place in range(30)])
    reported = status_of(store)["instruments"]
    assert ["newest" in one for one in reported] == [place < NEWEST_MAX for place in range(30)]


def test_what_is_no_longer_followed_is_listed_but_not_watched() -> None:
    retired = Instrument("coinbase", "OLD-USD", "OLD", "USD", active=False)
    store = a_store()
    store.put_instruments([retired])
    assert "OLD-USD" not in {one["symbol"] for one in status_of(store)["instruments"]}
    listed = json.loads(list_instruments(store.instruments()))["data"]
    assert [(one["symbol"], one["active"]) for one in listed] == [
        ("BTC-USD", True),
        ("OLD-USD", False),
        ("ETH-USD", True),
    ]


def test_an_instrument_is_listed_in_full() -> None:
    assert json.loads(list_instruments([BTC]))["data"] == [
        {
            "exchange": "coinbase",
            "symbol": "BTC-USD",
            "base": "BTC",
            "quote": "USD",
            "canonical": "BTC-USD",
            "timeframes": ["1m", "5m", "15m", "1h", "4h", "12h", "1d", "1w"],
            "active": True,
            "simulated": False,
            "calendar": "always",
        }
    ]
