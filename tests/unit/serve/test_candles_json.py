"""Candles as clients hear them."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.model.candle import Candle, Source
from marketdata.model.timeframe import M1, TIMEFRAMES, Timeframe
from marketdata.model.times import rfc3339
from marketdata.serve.candles_json import candle_record, candles_body, encode_rows
from marketdata.serve.condition import unjudged
from marketdata.serve.decimals import as_number, as_string

OPEN_TIME = datetime(2026, 8, 9, 21, 5, tzinfo=UTC)
CANDLE = Candle(
    exchange="coinbase",
    symbol="BTC-USD",
    timeframe=M1,
    open_time=OPEN_TIME,
    open=Decimal("65000.10"),
    high=Decimal("65000.20"),
    low=Decimal("64999.00"),
    close=Decimal("65000"),
    volume=Decimal("0.30"),
    quote_volume=Decimal("19500.01"),
    trades=2,
    taker_buy_volume=None,
    first_id=7,
    last_id=8,
    source=Source.PROVEN,
    revision=3,
)
RECORD = {
    "exchange": "coinbase",
    "symbol": "BTC-USD",
    "timeframe": "1m",
    "open_time": "2026-08-09T21:05:00Z",
    "close_time": "2026-08-09T21:06:00Z",
    "open": "65000.1",
    "high": "65000.2",
    "low": "64999",
    "close": "65000",
    "volume": "0.3",
    "quote_volume": "19500.01",
    "vwap": "65000.033333333333333333",
    "trades": 2,
    "taker_buy_volume": None,
    "first_id": 7,
    "last_id": 8,
    "complete": True,
    "source": "proven",
    "revision": 3,
    "simulated": False,
}


def test_a_candle_is_a_record_with_every_field() -> None:
    assert candle_record(CANDLE, simulated=False) == RECORD


@pytest.mark.parametrize("timeframe", TIMEFRAMES, ids=str)
@given(moment=st.datetimes(datetime(1970, 2, 1), datetime(9998, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_buckets_open_and_close_when_they_do(timeframe: Timeframe, moment: datetime) -> None:
    candle = replace(CANDLE, timeframe=timeframe, open_time=timeframe.floor(moment))
    record = candle_record(candle, simulated=False)
    assert (record["open_time"], record["close_time"]) == (rfc3339(candle.open_time), rfc3339(candle.close_time))


def test_what_is_simulated_says_so() -> None:
    assert candle_record(CANDLE, simulated=True)["simulated"] is True


def test_numbers_keep_all_their_digits() -> None:
    encoded = msgspec.json.encode(candle_record(CANDLE, simulated=False, number=as_number))
    assert b'"vwap":65000.033333333333333333,' in encoded
    assert b'"open":65000.1,' in encoded


def test_an_answer_is_rows_a_cursor_and_what_is_known() -> None:
    rows = encode_rows([CANDLE], simulated=False, number=as_string)
    body = candles_body(rows, "next", unjudged(anything_held=True), OPEN_TIME, simulated=False)
    answer: dict[str, Any] = msgspec.json.decode(body)
    meta = answer["meta"]
    assert answer["data"] == [RECORD]
    assert answer["next_cursor"] == "next"
    assert meta == {
        "condition": "available",
        "coverage": None,
        "span": None,
        "gaps": [],
        "gaps_total": 0,
        "partial": [],
        "partial_total": 0,
        "quiet": [],
        "quiet_total": 0,
        "truncated": False,
        "as_of": "2026-08-09T21:05:00Z",
        "simulated": False,
    }


def test_rows_end_where_an_answer_would_be_too_large_for_lambda() -> None:
    one = encode_rows([CANDLE], simulated=False, number=as_string)[0]
    escaped = len(one) + one.count(b'"')
    assert len(encode_rows([CANDLE] * 9, simulated=False, number=as_string, bytes_max=escaped * 4)) == 4


def test_the_first_row_always_goes() -> None:
    assert len(encode_rows([CANDLE] * 9, simulated=False, number=as_string, bytes_max=1)) == 1
