"""Binance over REST: which requests, and what is read of the answers."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from marketdata.errors import RemoteMalformed
from marketdata.exchanges.binance_rest import BinanceRest
from marketdata.model.candle import Source
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, TIMEFRAMES, timeframe_named
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Side

from tests.captures import FOLDER, needs_captures

START = datetime(2024, 3, 22, 10, tzinfo=UTC)
START_MS = nanoseconds(START) // 1_000_000
# The shape of binance-spot-api-docs, rest-api.md, with invented values.
ROW: list[Any] = [START_MS, "10", "12.5", "9", "11", "3.5", START_MS + 59_999, "37.75", 4, "1.5", "16", "0"]
TRADE = {"id": 12, "price": "10.0", "qty": "0.5", "quoteQty": "5", "time": START_MS, "isBuyerMaker": True}


def body(*rows: object) -> bytes:
    return json.dumps(rows).encode()


def changed(at: int, value: object) -> list[Any]:
    return [*ROW[:at], value, *ROW[at + 1 :]]


def test_candle_requests_cover_the_span_a_thousand_at_a_time() -> None:
    requests = BinanceRest().candle_requests("BTCUSDT", M1, Span(START, START + timedelta(minutes=1_001)))
    asked = [dict(request.query) for request in requests]
    minutes = [tuple((int(one[name]) - START_MS) // 60_000 for name in ("startTime", "endTime")) for one in asked]
    assert minutes == [(0, 999), (1_000, 1_000)]
    assert {(request.path, request.weight) for request in requests} == {("/api/v3/klines", 2)}
    assert [(one["symbol"], one["interval"], one["limit"]) for one in asked] == [("BTCUSDT", "1m", "1000")] * 2


def test_every_timeframe_is_offered_and_asked_for_from_its_bucket_on() -> None:
    for timeframe in TIMEFRAMES:
        (request,) = BinanceRest().candle_requests("BTCUSDT", timeframe, Span(START, START + timedelta(minutes=1)))
        opens = nanoseconds(timeframe.floor(START)) // 1_000_000
        asked = dict(request.query)
        assert (asked["interval"], asked["startTime"]) == (timeframe.name, str(opens))
        assert int(asked["endTime"]) >= opens


def test_a_row_is_a_candle_with_all_that_the_exchange_tells() -> None:
    newer = [START_MS + 60_000, *ROW[1:]]
    older, _ = BinanceRest().parse_candles(body(newer, ROW), "BTCUSDT", M1, START)
    assert (older.open_time, older.source, older.observed_at) == (START, Source.VENUE, START)
    prices = (older.open, older.high, older.low, older.close)
    assert prices == tuple(map(Decimal, ("10", "12.5", "9", "11")))
    assert (older.volume, older.quote_volume, older.taker_buy_volume) == tuple(map(Decimal, ("3.5", "37.75", "1.5")))
    assert (older.trades, older.first_id, older.last_id) == (4, None, None)


def test_a_minute_in_which_nobody_traded_is_no_candle() -> None:
    """It comes as a flat row of the close before."""
    flat = [START_MS, "10", "10", "10", "10", "0.00000000", START_MS + 59_999, "0", 0, "0", "0", "0"]
    assert BinanceRest().parse_candles(body(flat), "BTCUSDT", M1, START) == []


def test_times_in_microseconds_and_columns_that_we_do_not_know_are_read() -> None:
    (candle,) = BinanceRest().parse_candles(body([START_MS * 1_000, *ROW[1:], "new"]), "BTCUSDT", M1, START)
    assert candle.open_time == START


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b'{"code":-1121,"msg":"Invalid symbol."}',
        body(ROW[:9]),
        body(changed(0, START_MS + 1)),
        body(changed(2, "8")),
        body(changed(5, "-1")),
        body(changed(5, "0")),
        body(changed(8, 0)),
        body(changed(8, "x")),
        body(changed(1, 10.5)),
        body(changed(1, "NaN")),
        body(changed(0, 10**30)),
    ],
)
def test_impossible_candles_are_malformed(answer: bytes) -> None:
    with pytest.raises(RemoteMalformed):
        BinanceRest().parse_candles(answer, "BTCUSDT", M1, START)


def test_single_trades_are_asked_for_by_the_id_they_count_up_from() -> None:
    request = BinanceRest().trades_request("BTCUSDT", before=5_000, limit=5_000)
    assert request.path == "/api/v3/historicalTrades"
    assert dict(request.query) == {"symbol": "BTCUSDT", "fromId": "4000", "limit": "1000"}
    assert dict(BinanceRest().trades_request("BTCUSDT", before=30, limit=1_000).query)["limit"] == "30"
    assert "fromId" not in dict(BinanceRest().trades_request("BTCUSDT", before=None, limit=1_000).query)
    assert request.weight == BinanceRest().recent_trades_request("BTCUSDT").weight == 25


def test_single_trades_come_by_id_with_the_takers_side() -> None:
    answer = body({**TRADE, "id": 13, "isBuyerMaker": False}, TRADE)
    page = BinanceRest().parse_trades(answer, "BTCUSDT")
    assert [(trade.id, trade.side, trade.size) for trade in page.trades] == [
        (12, Side.SELL, Decimal("0.5")),
        (13, Side.BUY, Decimal("0.5")),
    ]
    assert page.trades[0].time_ns == nanoseconds(START)
    assert page.next_before == 12


def test_before_the_trade_with_the_id_zero_there_is_none() -> None:
    assert BinanceRest().parse_trades(body({**TRADE, "id": 0}), "BTCUSDT").next_before is None
    assert BinanceRest().parse_trades(b"[]", "BTCUSDT").next_before is None


@pytest.mark.parametrize("change", [{"id": -1}, {"price": "0"}, {"qty": "NaN"}, {"time": 0}, {"isBuyerMaker": None}])
def test_a_malformed_trade_costs_its_page(change: dict[str, object]) -> None:
    with pytest.raises(RemoteMalformed):
        BinanceRest().parse_trades(body({**TRADE, **change}), "BTCUSDT")


@needs_captures
def test_real_answers_are_read_whole() -> None:
    """The 5-minute candles of 2020-04-15 and the days of 2020 and 2021, as they were answered."""
    read = 0
    for answer in json.loads((FOLDER / "binance/rest_gct.json").read_text()):
        query = dict(part.split("=") for part in answer["query"].split("&"))
        if answer["path"] == "/api/v3/klines":
            timeframe = timeframe_named(query["interval"])
            candles = BinanceRest().parse_candles(body(*answer["body"]), query["symbol"], timeframe, START)
            assert [str(candle.close) for candle in candles] == [row[4] for row in answer["body"]]
            read += len(candles)
    assert read == 24 + 60 + 1 + 168 + 176 + 24
