"""The routes of candles over HTTP: formats, validators, packing, and the lists that other services' clients know."""

import base64
import csv
import gzip
import io
import json
from datetime import timedelta
from typing import Any

import pyarrow
import pytest
from backports import zstd
from marketdata.clock import FakeClock
from marketdata.model.candle import Source
from marketdata.model.instrument import Calendar, Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.observe import Handler
from marketdata.store.memory import MemoryStore

from functions.api.handler import application
from tests.functions.calls import Answer, context, event, get, settings
from tests.market import BTC, a_store, at, candle, minutes

NOW = at("12:00")
EURUSD = Instrument("dukascopy", "EURUSD", "EUR", "USD", calendar=Calendar.FX)
H1 = timeframe_named("1h")
TEN: dict[str, Any] = {"symbol": "BTC-USD", "start": "2026-08-09T10:00:00Z", "end": "2026-08-09T10:10:00Z"}


def api_over(store: MemoryStore, days: int = 0) -> Handler:
    return application(store, settings(), FakeClock(NOW + timedelta(days=days)))


@pytest.fixture
def store() -> MemoryStore:
    """Ten minutes of BTC-USD from 10:00."""
    store = a_store()
    store.put_candles(minutes("10:00", "10:10"))
    return store


def ask(api: Handler, path: str, accepting: Any = None, **query: Any) -> Answer:
    """A GET whose body is text."""
    return get(api, path, accepting, **query)


def raw(api: Handler, path: str, headers: Any = None, **query: Any) -> tuple[dict[str, Any], bytes]:
    """A GET whose body may be bytes: the answer, and the body as it goes over HTTP."""
    answered = json.loads(json.dumps(api(event("GET", path, query, headers), context())))
    body = answered.get("body") or ""
    return answered, base64.b64decode(body) if answered["isBase64Encoded"] else body.encode()


# Formats and packing


def test_csv_by_name_or_by_what_is_accepted(store: MemoryStore) -> None:
    for asked in ({"format": "csv"}, {}):
        answered, body = raw(api_over(store), "/v1/candles", {"accept": "text/csv"}, **TEN, **asked)
        assert answered["headers"]["Content-Type"] == "text/csv; charset=utf-8"
        assert len(list(csv.DictReader(io.StringIO(body.decode())))) == 10


def test_arrow_is_bytes_that_arrow_reads(store: MemoryStore) -> None:
    answered, body = raw(api_over(store), "/v1/candles", format="arrow", **TEN)
    assert (answered["isBase64Encoded"], answered["headers"]["Content-Type"]) == (
        True,
        "application/vnd.apache.arrow.stream",
    )
    assert pyarrow.ipc.open_stream(body).read_all().num_rows == 10


def test_columns(store: MemoryStore) -> None:
    answer = ask(api_over(store), "/v1/candles", format="columns", **TEN)
    assert answer.json["data"]["close"] == ["100.5"] * 10


@pytest.mark.parametrize(("coding", "unpack"), [("gzip", gzip.decompress), ("zstd", zstd.decompress)])
def test_a_packed_answer_says_how(store: MemoryStore, coding: str, unpack: Any) -> None:
    answered, body = raw(api_over(store), "/v1/candles", {"accept-encoding": coding}, **TEN)
    assert answered["headers"]["Content-Encoding"] == coding
    assert len(json.loads(unpack(body))["data"]) == 10


def test_whoever_takes_none_of_our_formats_hears_which_there_are(store: MemoryStore) -> None:
    answer = ask(api_over(store), "/v1/candles", {"accept": "image/png"}, **TEN)
    assert (answer.status, answer.problem) == (406, "/problems/not-acceptable")
    assert answer.json["choices"] == ["json", "columns", "csv", "arrow"]


def test_grids_and_means_on_request(store: MemoryStore) -> None:
    asked = TEN | {"end": "2026-08-09T10:12:00Z", "fill": "previous", "indicators": "sma10", "time": "s"}
    last = ask(api_over(store), "/v1/candles", **asked).json["data"][-3:]
    assert [(record["open_time"], record["sma10"], record["filled"]) for record in last] == [
        (1786270140, "100.5", False),
        (1786270200, None, True),
        (1786270260, None, True),
    ]


# Validators


def test_a_good_copy_is_confirmed_without_a_body(store: MemoryStore) -> None:
    api = api_over(store)
    first = ask(api, "/v1/candles", **TEN)
    answered, body = raw(api, "/v1/candles", {"if-none-match": first.headers["etag"]}, **TEN)
    assert (answered["statusCode"], body) == (304, b"")
    told = {name.lower(): value for name, value in answered["headers"].items()}
    for name in ("etag", "cache-control", "vary"):
        assert told[name].startswith(first.headers[name]), name
    store.put_candles([candle(at("10:03"), price="7", source=Source.MANUAL)])
    assert ask(api, "/v1/candles", {"if-none-match": first.headers["etag"]}, **TEN).status == 200


def test_headers_of_the_live_edge_and_of_the_past(store: MemoryStore) -> None:
    live, past = (ask(api_over(store, days), "/v1/candles", **TEN).headers for days in (0, 1))
    assert (live["cache-control"], past["cache-control"]) == ("no-cache", "max-age=86400")
    assert live["vary"].startswith("Accept, Accept-Encoding")
    assert (live["x-data-condition"], live["x-data-coverage"]) == ("available", "1")
    assert live["etag"].startswith('"')


# /candles and /candles/latest


def test_candles_of_an_exchange_are_a_bare_list(store: MemoryStore) -> None:
    asked = {"exchange": "coinbase", "symbol": "BTCUSD", "timeframe": "1m"}
    answer = ask(
        api_over(store), "/candles", start="2026-08-09T10:00:00+00:00", end="2026-08-09T10:02:00+00:00", **asked
    )
    assert answer.json[0] == {
        "exchange": "coinbase",
        "symbol": "BTC-USD",
        "timeframe": "1m",
        "open_time": "2026-08-09T10:00:00Z",
        "close_time": "2026-08-09T10:01:00Z",
        "open": 100.5,
        "high": 100.5,
        "low": 100.5,
        "close": 100.5,
        "volume": 0.1,
    }
    assert len(answer.json) == 2
    assert (answer.headers["x-data-condition"], answer.headers["x-data-coverage"]) == ("available", "1")


def test_a_page_of_a_bare_list_links_to_the_next(store: MemoryStore) -> None:
    api, seen, query = api_over(store), [], {"symbol": "BTC-USD", "limit": "4"}
    for _ in range(3):
        answer = ask(api, "/candles", **query)
        seen += [record["open_time"][14:16] for record in answer.json]
        link = answer.headers.get("link", "")
        query = query | {"cursor": link.partition("cursor=")[2].partition(">")[0].replace("%3D", "=")}
    assert seen == [f"{minute:02}" for minute in range(10)]
    assert link == ""


def test_a_bare_list_is_whole_or_says_how_to_come_by_it() -> None:
    store = a_store()
    store.put_candles([candle(at("00:00") - timedelta(minutes=place)) for place in range(10_001)])
    answer = ask(api_over(store), "/candles", symbol="BTC-USD")
    assert (answer.status, answer.problem) == (413, "/problems/too-large")
    for way in ("limit", "cursor", "POST /v1/exports"):
        assert way in answer.json["detail"]


def test_the_latest_candles_of_a_page_that_draws_them(store: MemoryStore) -> None:
    answer = ask(api_over(store), "/candles/latest", symbol="BTC-USD", timeframe="1m", limit="3")
    assert [record["open_time"][14:16] for record in answer.json] == ["07", "08", "09"]
    assert [type(record["close"]) for record in answer.json] == [float] * 3


# /api/candles


@pytest.fixture
def euro() -> MemoryStore:
    """A day of hours of EURUSD from 07:00 on 2024-03-20."""
    store = a_store()
    store.put_instruments([EURUSD])
    day = at("07:00").replace(2024, 3, 20)
    store.put_candles([candle(day + place * H1.duration, EURUSD, H1, price="1.08703") for place in range(26)])
    return store


def test_candles_in_unix_seconds(euro: MemoryStore) -> None:
    asked = {"symbol": "EURUSD", "timeframe": "1h", "from": "1710918000", "to": "1711004399"}
    answer = ask(api_over(euro), "/api/candles", **asked)
    assert answer.json[0] == {
        "time": 1710918000,
        "open": 1.08703,
        "high": 1.08703,
        "low": 1.08703,
        "close": 1.08703,
        "volume": 0.1,
    }
    assert len(answer.json) == 24
    assert answer.json[-1]["time"] == 1711000800


def test_the_last_second_is_included(euro: MemoryStore) -> None:
    asked = {"symbol": "EUR/USD", "from": "1710918000", "to": "1710921600"}
    assert [record["time"] for record in ask(api_over(euro), "/api/candles", **asked).json] == [1710918000, 1710921600]


def test_data_that_did_not_change_is_a_304_and_closed_time_may_be_kept(euro: MemoryStore) -> None:
    asked = {"symbol": "EURUSD", "from": "1710918000", "to": "1711004399"}
    first = ask(api_over(euro), "/api/candles", **asked)
    assert first.headers["cache-control"] == "max-age=86400"
    answered, body = raw(api_over(euro), "/api/candles", {"if-none-match": first.headers["etag"]}, **asked)
    assert (answered["statusCode"], body) == (304, b"")


def test_milliseconds_are_taken_for_what_they_are(euro: MemoryStore) -> None:
    answer = ask(api_over(euro), "/api/candles", **{"symbol": "EURUSD", "from": "1710918000000", "to": "1711004399000"})
    assert (answer.status, answer.problem) == (400, "/problems/invalid-parameter")
    assert answer.json["detail"] == "from: 1710918000000 looks like milliseconds, did you mean 1710918000?"


# /v1/candles/count


def test_candles_are_counted_without_being_carried(store: MemoryStore) -> None:
    store.roll_up()
    answer = ask(api_over(store), "/v1/candles/count", symbol="BTC-USD")
    assert answer.json["data"] == {
        "exchange": "coinbase",
        "symbol": "BTC-USD",
        "timeframe": "1m",
        "start": "2026-08-09T10:00:00Z",
        "end": "2026-08-09T12:00:00Z",
        "count": 10,
        "partial": 0,
        "live": 0,
        "venue": 0,
        "proven": 10,
        "manual": 0,
        "no_trades": 0,
        "unproven": 0,
        "expected": 118,
        "missing": 108,
    }


def test_a_count_says_what_is_missing_in_the_words_of_the_candles(store: MemoryStore) -> None:
    store.put_candles(minutes("10:12", "10:13", source=Source.PARTIAL) + minutes("10:13", "10:16", source=Source.LIVE))
    store.mark_empty(BTC, M1, [Span(at("10:10"), at("10:11"))])
    store.record_gaps(BTC, M1, [Span(at("10:11"), at("10:12"))], cause="scan", found_at=NOW)
    store.roll_up()
    asked = {"symbol": "BTC-USD", "start": "2026-08-09T10:00:00Z", "end": "2026-08-09T10:16:00Z"}
    counted = ask(api_over(store), "/v1/candles/count", **asked).json
    data, told = counted["data"], counted["meta"]
    assert (data["count"], data["unproven"], data["no_trades"]) == (14, 4, 1)
    assert (data["expected"], data["missing"], data["partial"]) == (16, 2, 1)
    assert [(one["start"], one["state"]) for one in told["gaps"]] == [
        ("2026-08-09T10:11:00Z", "open"),
        ("2026-08-09T10:12:00Z", "missing"),
    ]
    assert (told["gaps_total"], told["truncated"]) == (2, False)
    page = ask(api_over(store), "/v1/candles", **asked).json["meta"]
    assert {name: told[name] for name in ("condition", "coverage", "span")} == {
        name: page[name] for name in ("condition", "coverage", "span")
    }
    assert page["condition"] == "missing"


@pytest.mark.parametrize(("end", "condition"), [("10:10", "available"), ("10:11", "degraded"), ("10:12", "missing")])
def test_a_count_and_its_candles_are_trusted_alike(store: MemoryStore, end: str, condition: str) -> None:
    store.put_candles(minutes("10:10", "10:11", source=Source.PARTIAL))
    store.roll_up()
    asked = {"symbol": "BTC-USD", "start": "2026-08-09T10:00:00Z", "end": f"2026-08-09T{end}:00Z"}
    told = [ask(api_over(store), path, **asked).json["meta"] for path in ("/v1/candles/count", "/v1/candles")]
    assert [one["condition"] for one in told] == [condition, condition]
    assert told[0]["coverage"] == told[1]["coverage"]


def test_the_open_minute_is_counted_and_not_judged(store: MemoryStore) -> None:
    store.put_candles(minutes("11:50", "11:59") + minutes("11:59", "12:00", source=Source.PARTIAL))
    store.roll_up()
    counted = ask(api_over(store), "/v1/candles/count", symbol="BTC-USD", start="2026-08-09T11:50:00Z").json
    assert (counted["data"]["count"], counted["data"]["expected"], counted["data"]["missing"]) == (10, 8, 0)
    assert counted["meta"]["condition"] == "available"


def test_weeks_that_lie_in_two_months_are_expected_too(store: MemoryStore) -> None:
    answer = ask(
        api_over(store), "/v1/candles/count", symbol="BTC-USD", timeframe="1w", start="2026-06-29", end="2026-07-13"
    )
    assert (answer.json["data"]["expected"], answer.json["data"]["missing"]) == (2, 2)


def test_years_are_counted_too_and_nothing_is_nothing(store: MemoryStore) -> None:
    store.put_candles([candle(at("10:00") - timedelta(days=800))])
    assert ask(api_over(store), "/v1/candles/count", symbol="BTC-USD").json["data"]["count"] == 11
    nothing = ask(api_over(store), "/v1/candles/count", symbol="ETH-USD").json["data"]
    assert (nothing["count"], nothing["start"]) == (0, None)


def test_the_last_year_of_all_calendars_can_be_counted(store: MemoryStore) -> None:
    far = {"start": "9999-01-01", "end": "9999-12-31"}
    assert ask(api_over(store), "/v1/candles/count", symbol="BTC-USD", **far).json["data"]["count"] == 0


def test_a_count_of_more_than_a_life_is_refused(store: MemoryStore) -> None:
    answer = ask(api_over(store), "/v1/candles/count", symbol="BTC-USD", start="1980-01-01")
    assert (answer.status, answer.json["errors"][0]["field"]) == (413, "start")


def test_the_store_is_followed_by_the_name_it_knows(store: MemoryStore) -> None:
    assert ask(api_over(store), "/candles", symbol="DOGE").status == 404
    assert BTC.symbol in str(ask(api_over(store), "/candles", symbol="DOGE").json["choices"])
