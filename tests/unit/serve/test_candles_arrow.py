"""Candles as Arrow, read by Arrow's own library: every digit, every null, one schema whatever is inside."""

import json
from decimal import Decimal

import pyarrow
import pytest
from marketdata.model.timeframe import M1
from marketdata.serve.candle_answer import CandleRow, Fill, TimeForm, View
from marketdata.serve.candles_arrow import arrow_body
from marketdata.serve.decimals import as_number

from tests.unit.serve.test_candles_json import CANDLE, OPEN_TIME, RECORD, an_answer


def read_back(body: bytes) -> pyarrow.Table:
    return pyarrow.ipc.open_stream(body).read_all()


def test_a_row_has_the_fields_of_a_record() -> None:
    table = read_back(arrow_body(an_answer()))
    (row,) = table.to_pylist()
    assert table.column_names == list(RECORD)
    assert (row["open_time"], row["close_time"]) == (OPEN_TIME, OPEN_TIME + M1.duration)
    times = {"open_time", "close_time"}
    assert {name: value for name, value in row.items() if name not in times} == {
        name: value for name, value in RECORD.items() if name not in times
    }


def test_the_schema_is_the_same_without_a_row() -> None:
    assert read_back(arrow_body(an_answer(rows=()))).schema == read_back(arrow_body(an_answer())).schema


def test_times_are_microseconds_in_utc_whatever_was_asked_for() -> None:
    table = read_back(arrow_body(an_answer(View(time=TimeForm.SECONDS))))
    assert table.schema.field("open_time").type == pyarrow.timestamp("us", "UTC")


def test_decimals_are_text_or_floats() -> None:
    floats = read_back(arrow_body(an_answer(View(as_number))))
    assert floats.schema.field("close").type == pyarrow.float64()
    assert floats.column("quote_volume").to_pylist() == [19500.01]
    assert floats.column("taker_buy_volume").to_pylist() == [None]
    assert Decimal(read_back(arrow_body(an_answer())).column("vwap").to_pylist()[0]) == Decimal(
        "65000.033333333333333333"
    )


def test_what_is_known_of_the_answer_travels_with_it() -> None:
    said = read_back(arrow_body(an_answer())).schema.metadata
    assert json.loads(said[b"meta"])["condition"] == "available"
    assert said[b"next_cursor"] == b"next"


def test_filled_buckets_and_means_are_columns() -> None:
    rows = (
        CandleRow(OPEN_TIME, CANDLE, None, (Decimal("1.5"),)),
        CandleRow(OPEN_TIME + M1.duration, None, Decimal("65000"), (None,)),
    )
    table = read_back(arrow_body(an_answer(View(fill=Fill.PREVIOUS, averages=(10,)), rows)))
    assert table.column("filled").to_pylist() == [False, True]
    assert table.column("sma10").to_pylist() == ["1.5", None]
    assert table.column("source").to_pylist() == ["proven", None]


@pytest.mark.parametrize("count", [1, 1_000])
def test_as_many_rows_come_back_as_went(count: int) -> None:
    rows = tuple(CandleRow(OPEN_TIME + place * M1.duration, CANDLE) for place in range(count))
    assert read_back(arrow_body(an_answer(rows=rows))).num_rows == count
