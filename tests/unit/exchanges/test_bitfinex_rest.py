"""Bitfinex's REST answers: what is asked, what is read, what is refused."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from marketdata.errors import RemoteMalformed, RequestInvalid
from marketdata.exchanges.bitfinex_rest import BitfinexRest, read_refusal
from marketdata.exchanges.exchange import Refusal
from marketdata.model.candle import Source
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.model.times import EPOCH

from tests.captures import FOLDER, needs_captures

REST = BitfinexRest()
START = datetime(2016, 8, 1, tzinfo=UTC)
START_MS = 1_470_009_600_000
# The shape of docs.bitfinex.com/reference/rest-public-candles, with invented values.
ROW = [START_MS, 622.83, 623, 623.5, 622.7, 22.77265899]


def test_a_request_names_the_span_in_milliseconds_with_its_last_bucket_and_wants_the_oldest_first() -> None:
    (request,) = REST.candle_requests("tBTCUSD", M1, Span(START, START + timedelta(minutes=5)))
    assert request.path == "/v2/candles/trade:1m:tBTCUSD/hist"
    assert dict(request.query) == {
        "start": str(START_MS),
        "end": str(START_MS + 5 * 60_000 - 1),
        "limit": "10000",
        "sort": "1",
    }


def test_a_long_span_is_asked_for_10_000_buckets_at_a_time_without_a_hole_or_an_overlap() -> None:
    queries = [dict(one.query) for one in REST.candle_requests("tBTCUSD", M1, Span(START, START + timedelta(days=20)))]
    assert [(int(one["end"]) + 1 - int(one["start"])) // 60_000 for one in queries] == [10_000, 10_000, 8_800]
    assert [int(one["start"]) for one in queries[1:]] == [int(one["end"]) + 1 for one in queries[:-1]]


@pytest.mark.parametrize("name", ["4h", "1w"])
def test_timeframes_that_bitfinex_lacks_or_cuts_otherwise_are_refused(name: str) -> None:
    with pytest.raises(RequestInvalid, match=name):
        REST.candle_requests("tBTCUSD", timeframe_named(name), Span(START, START + timedelta(days=7)))


@pytest.mark.parametrize(("name", "theirs"), [("12h", "12h"), ("1d", "1D"), ("1h", "1h")])
def test_timeframes_have_bitfinexs_own_names(name: str, theirs: str) -> None:
    (request,) = REST.candle_requests("tDOGE:USD", timeframe_named(name), Span(START, START + timedelta(days=1)))
    assert request.path == f"/v2/candles/trade:{theirs}:tDOGE:USD/hist"


def test_the_close_comes_before_the_high() -> None:
    (candle,) = REST.parse_candles(json.dumps([ROW]).encode(), "tBTCUSD", M1, EPOCH)
    assert (candle.open, candle.close) == (Decimal("622.83"), Decimal(623))
    assert (candle.high, candle.low, candle.volume) == (Decimal("623.5"), Decimal("622.7"), Decimal("22.77265899"))
    assert (candle.open_time, candle.source) == (START, Source.VENUE)
    assert (candle.quote_volume, candle.trades, candle.first_id) == (None, None, None)


def test_numbers_keep_every_digit_of_the_wire() -> None:
    body = b"[[1470009600000,1,1,1,1,15.114499480000001],[1470009660000,2,2,2,2,1.639e-05]]"
    volumes = [candle.volume for candle in REST.parse_candles(body, "tBTCUSD", M1, EPOCH)]
    assert volumes == [Decimal("15.114499480000001"), Decimal("0.00001639")]


def test_rows_come_oldest_first_whatever_the_wire_and_may_have_grown() -> None:
    body = json.dumps([[START_MS + 60_000, 1, 1, 1, 1, 1, "new"], [*ROW, None, 7]]).encode()
    assert [one.open_time.minute for one in REST.parse_candles(body, "tBTCUSD", M1, EPOCH)] == [0, 1]


def test_an_empty_answer_has_no_candles_and_is_no_error() -> None:
    assert REST.parse_candles(b"[]", "tBTCUSD", M1, EPOCH) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b'{"error":"ERR_RATE_LIMIT"}',
        b'["error",10020,"symbol: invalid"]',
        json.dumps([ROW[:5]]).encode(),
        json.dumps([[START_MS + 1, *ROW[1:]]]).encode(),
        json.dumps([[START_MS, 1, 2, 1.5, 1, 1]]).encode(),
        json.dumps([[START_MS, 1, 1, 1, 1, -1]]).encode(),
        json.dumps([[10**18, 1, 1, 1, 1, 1]]).encode(),
        b'[[1470009600000,"NaN",1,1,1,1]]',
    ],
)
def test_an_answer_that_cannot_be_is_malformed_with_its_beginning_as_evidence(body: bytes) -> None:
    with pytest.raises(RemoteMalformed) as refused:
        REST.parse_candles(body, "tBTCUSD", M1, EPOCH)
    assert refused.value.excerpt == body.decode()[:300]


def test_trades_are_asked_for_by_time_and_come_ordered_by_time_and_id() -> None:
    request = REST.trades_from("tBTCUSD", Span(START, START + timedelta(minutes=1)))
    assert (request.path, dict(request.query)["end"]) == ("/v2/trades/tBTCUSD/hist", str(START_MS + 59_999))
    body = json.dumps([[9, START_MS, -1, 5], [8, START_MS, 0.5, 6, "new"], [10, START_MS - 1, 2, 7]]).encode()
    page = REST.parse_trades(body, "tBTCUSD")
    assert [(one.id, one.side.value, str(one.price)) for one in page.trades] == [
        (10, "buy", "7"),
        (8, "buy", "6"),
        (9, "sell", "5"),
    ]
    assert page.next_before is None


@pytest.mark.parametrize("body", [b"", b"[[1,2]]", b'["error",10020,"symbol: invalid"]', b"[[1,1470009600000,0,5]]"])
def test_trades_that_cannot_be_are_malformed(body: bytes) -> None:
    with pytest.raises(RemoteMalformed):
        REST.parse_trades(body, "tBTCUSD")


@needs_captures
def test_a_recorded_day_newest_first_is_read_whole() -> None:
    body = (FOLDER / "bitfinex/btc_candle_data_1m.json").read_bytes()
    candles = REST.parse_candles(body, "tBTCUSD", M1, EPOCH)
    assert len(candles) == len(json.loads(body)) > 900
    assert candles == sorted(candles, key=lambda one: one.open_time)


@pytest.mark.parametrize(
    ("status", "body", "reason", "wait_seconds"),
    [
        (429, b'{"error":"ERR_RATE_LIMIT"}', "asked too often", 60),
        (500, b'["error",11010,"ratelimit: error"]', "ratelimit: error", 60),
        (500, b'["error",10020,"symbol: invalid"]', "symbol: invalid", None),
    ],
)
def test_what_bitfinex_refuses_is_in_the_body(status: int, body: bytes, reason: str, wait_seconds: float) -> None:
    assert read_refusal(status, body) == Refusal(reason, wait_seconds)


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b'["error",20060,"maintenance"]', b'["error"]'])
def test_an_exchange_that_is_away_refuses_nothing(body: bytes) -> None:
    assert read_refusal(503, body) is None
