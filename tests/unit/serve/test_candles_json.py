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
from marketdata.model.instrument import Instrument
from marketdata.model.timeframe import M1, TIMEFRAMES, Timeframe
from marketdata.model.times import rfc3339
from marketdata.serve.candle_answer import PLAIN_VIEW, CandleAnswer, CandleRow, Fill, TimeForm, View
from marketdata.serve.candles_json import candle_record, columns_body, plain_body, records_body, unix_body
from marketdata.serve.condition import unjudged
from marketdata.serve.decimals import as_number

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


PLAIN = ("exchange", "symbol", "timeframe", "open_time", "close_time", "open", "high", "low", "close", "volume")


def an_answer(view: View = PLAIN_VIEW, rows: tuple[CandleRow, ...] = (CandleRow(OPEN_TIME, CANDLE),)) -> CandleAnswer:
    instrument = Instrument("coinbase", "BTC-USD", "BTC", "USD")
    return CandleAnswer(instrument, M1, view, rows, unjudged(anything_held=True), "next", OPEN_TIME, version="1")


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
    answer: dict[str, Any] = msgspec.json.decode(records_body(an_answer()))
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


def test_columns_are_the_same_fields_turned_round() -> None:
    answer: dict[str, Any] = msgspec.json.decode(columns_body(an_answer()))
    common = {"exchange", "symbol", "timeframe", "simulated"}
    assert (answer["exchange"], answer["symbol"], answer["timeframe"]) == ("coinbase", "BTC-USD", "1m")
    assert answer["data"] == {name: [value] for name, value in RECORD.items() if name not in common}
    assert (answer["next_cursor"], answer["meta"]["condition"]) == ("next", "available")


def test_columns_of_nothing_are_all_there_and_empty() -> None:
    answer: dict[str, Any] = msgspec.json.decode(columns_body(an_answer(rows=())))
    assert set(map(len, answer["data"].values())) == {0}
    assert "open_time" in answer["data"]


@pytest.mark.parametrize(
    ("form", "opens", "closes"), [("s", 1786309500, 1786309560), ("ms", 1786309500000, 1786309560000)]
)
def test_times_are_written_as_asked(form: str, opens: int, closes: int) -> None:
    (record,) = msgspec.json.decode(records_body(an_answer(View(time=TimeForm(form)))))["data"]
    assert (record["open_time"], record["close_time"]) == (opens, closes)


def test_a_bucket_that_is_filled_says_so_and_has_no_trades() -> None:
    rows = (CandleRow(OPEN_TIME, CANDLE), CandleRow(OPEN_TIME + M1.duration, None, Decimal("65000.50")))
    held, filled = msgspec.json.decode(records_body(an_answer(View(fill=Fill.PREVIOUS), rows)))["data"]
    assert held == RECORD | {"filled": False}
    assert {filled[name] for name in ("open", "high", "low", "close")} == {"65000.5"}
    assert (filled["volume"], filled["trades"], filled["complete"], filled["source"]) == ("0", 0, False, None)
    assert (filled["open_time"], filled["filled"]) == ("2026-08-09T21:06:00Z", True)


def test_a_bucket_that_is_filled_with_nothing_has_nothing_but_its_place() -> None:
    rows = (CandleRow(OPEN_TIME, None),)
    (filled,) = msgspec.json.decode(records_body(an_answer(View(fill=Fill.NULL), rows)))["data"]
    told = {name for name, value in filled.items() if value is not None}
    assert told == {
        *("exchange", "symbol", "timeframe", "open_time", "close_time"),
        *("complete", "revision", "simulated", "filled"),
    }


def test_means_are_fields_of_their_own() -> None:
    rows = (CandleRow(OPEN_TIME, CANDLE, None, (Decimal("65000.50"), None)),)
    (record,) = msgspec.json.decode(records_body(an_answer(View(averages=(10, 50)), rows)))["data"]
    assert (record["sma10"], record["sma50"]) == ("65000.5", None)


def test_the_plain_list_has_the_fields_of_the_service_that_had_it_first() -> None:
    (record,) = msgspec.json.decode(plain_body(an_answer()))
    assert record == {name: RECORD[name] for name in PLAIN}


def test_the_unix_list_has_seconds() -> None:
    encoded = unix_body(an_answer(View(as_number)))
    assert encoded == b'[{"time":1786309500,"open":65000.1,"high":65000.2,"low":64999,"close":65000,"volume":0.3}]'
