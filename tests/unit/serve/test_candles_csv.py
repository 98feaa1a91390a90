"""Candles as comma-separated values, read back by the standard library."""

import csv
import io
from dataclasses import replace

from marketdata.model.timeframe import M1
from marketdata.serve.candle_answer import CandleRow, Fill, View
from marketdata.serve.candles_csv import csv_body
from marketdata.serve.decimals import as_number

from tests.unit.serve.test_candles_json import CANDLE, OPEN_TIME, RECORD, an_answer


def read_back(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode(), newline="")))


def test_a_line_has_the_fields_of_a_record() -> None:
    (line,) = read_back(csv_body(an_answer()))
    assert list(line) == list(RECORD)
    assert (line["open"], line["quote_volume"], line["trades"]) == ("65000.1", "19500.01", "2")
    assert (line["taker_buy_volume"], line["complete"], line["simulated"]) == ("", "true", "false")


def test_numbers_are_the_same_text_whichever_way_they_are_asked_for() -> None:
    assert csv_body(an_answer(View(as_number))) == csv_body(an_answer())


def test_no_candles_are_a_header() -> None:
    assert csv_body(an_answer(rows=())).decode().splitlines() == [",".join(RECORD)]


def test_what_the_view_asks_for_are_columns() -> None:
    rows = (CandleRow(OPEN_TIME, CANDLE, None, (None,)), CandleRow(OPEN_TIME + M1.duration, None, None, (None,)))
    held, filled = read_back(csv_body(an_answer(View(fill=Fill.NULL, averages=(10,)), rows)))
    assert (held["sma10"], held["filled"], filled["open"], filled["filled"]) == ("", "false", "", "true")


def test_a_name_with_a_comma_stays_one_cell() -> None:
    odd = replace(CANDLE, symbol='A,"B')
    (line,) = read_back(csv_body(an_answer(rows=(CandleRow(OPEN_TIME, odd),))))
    assert line["symbol"] == 'A,"B'
