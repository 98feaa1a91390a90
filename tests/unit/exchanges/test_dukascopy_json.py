"""Dukascopy's newer archive: differences of whole steps add up to the same values as the classic files."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.errors import RemoteMalformed
from marketdata.exchanges.dukascopy_classic import DukascopyClassic
from marketdata.exchanges.dukascopy_json import DukascopyJson
from marketdata.model.quote import PriceSide
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.times import EPOCH, nanoseconds

from tests.unit.exchanges.archives import bi5, bi5_candles

ARCHIVE, CLASSIC = DukascopyJson(), DukascopyClassic()
START = datetime(2024, 1, 15, 13, tzinfo=UTC)
SPAN = Span(START, START.replace(hour=14))
(HOUR,) = ARCHIVE.tick_files("EURUSD", SPAN)
(DAY,) = ARCHIVE.candle_files("EURUSD", M1, PriceSide.BID, SPAN)
TICKS: dict[str, Any] = {
    "timestamp": nanoseconds(START) // 10**6,
    "multiplier": 1.0e-5,
    "ask": 1.14545,
    "bid": 1.14543,
    "times": [994, 0, 100],
    "asks": [0, 1, -2],
    "bids": [0, 1, -3],
    "askVolumes": [1000000, 750000, 900000],
    "bidVolumes": [2060000, 0, 1120000],
}
CANDLES: dict[str, Any] = {
    "timestamp": nanoseconds(DAY.span.start) // 10**6,
    "multiplier": 1.0e-5,
    "shift": 60000,
    "open": 1.1,
    "high": 1.10004,
    "low": 1.09999,
    "close": 1.10003,
    "times": [0, 3],
    "opens": [0, 1],
    "highs": [0, 5],
    "lows": [0, -1],
    "closes": [0, 2],
    "volumes": [0.5, 293.76],
}


def body(document: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps({**document, **changes}).encode()


def test_months_of_a_path_count_from_one() -> None:
    assert HOUR.request.path == "ticks/EUR-USD/2024/1/15/13"
    assert DAY.request.path == "candles/minute/EUR-USD/BID/2024/1/15"
    (index,) = ARCHIVE.tick_files("USA500IDXUSD", SPAN)
    assert index.request.path == "ticks/USA500.IDX-USD/2024/1/15/13"


def test_ticks_equal_those_of_the_classic_file_of_the_same_hour() -> None:
    (file,) = CLASSIC.tick_files("EURUSD", SPAN)
    classic = bi5(
        [(994, 114545, 114543, 1.0, 2.06), (994, 114546, 114544, 0.75, 0.0), (1094, 114544, 114541, 0.9, 1.12)]
    )
    ours, theirs = ARCHIVE.parse_ticks(body(TICKS), HOUR), CLASSIC.parse_ticks(classic, file)
    assert ours.quotes() == theirs.quotes()


def test_candles_equal_those_of_the_classic_file_and_skipped_steps_have_none() -> None:
    (file,) = CLASSIC.candle_files("EURUSD", M1, PriceSide.BID, SPAN)
    classic = bi5_candles([(0, 110000, 110003, 109999, 110004, 0.5), (180, 110001, 110005, 109998, 110009, 293.76)])
    assert ARCHIVE.parse_candles(body(CANDLES), DAY, EPOCH) == CLASSIC.parse_candles(classic, file, EPOCH)


def test_an_answer_without_entries_is_a_span_without_ticks() -> None:
    nothing: dict[str, Any] = {key: [] for key in ("times", "asks", "bids", "askVolumes", "bidVolumes")}
    assert ARCHIVE.parse_ticks(body(TICKS, **nothing, ask=None, bid=None), HOUR).quotes() == []
    # As it answers for a Saturday.
    nothing = {key: [] for key in ("times", "opens", "highs", "lows", "closes", "volumes")}
    assert ARCHIVE.parse_candles(body(CANDLES, **nothing, open=None, high=None, low=None, close=None), DAY, EPOCH) == []


def test_prices_are_whole_steps_even_where_the_first_is_written_as_a_float() -> None:
    quotes = ARCHIVE.parse_ticks(body(TICKS, bid=1.1454300000000002), HOUR).quotes()
    assert [quote.bid for quote in quotes] == [Decimal("1.14543"), Decimal("1.14544"), Decimal("1.14541")]


def test_unknown_fields_are_passed_over() -> None:
    assert len(ARCHIVE.parse_ticks(body(TICKS, novelty={"a": 1}), HOUR)) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"asks": [0, 1]},
        {"times": [5, -1, 100]},
        {"times": [0, 0, 3_600_000]},
        {"multiplier": 0},
        {"bid": None},
        {"bids": [0, -200_000, 0]},
        {"askVolumes": [-1, 0, 0]},
        {"ask": 1e40},
    ],
)
def test_ticks_that_cannot_be_are_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(RemoteMalformed, match="ticks/EUR-USD"):
        ARCHIVE.parse_ticks(body(TICKS, **changes), HOUR)


@pytest.mark.parametrize(
    "changes", [{"shift": 3_600_000}, {"highs": [-5, 0]}, {"times": [0, 1440]}, {"volumes": [-1, 0]}]
)
def test_candles_that_cannot_be_are_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(RemoteMalformed, match="candles/minute"):
        ARCHIVE.parse_candles(body(CANDLES, **changes), DAY, EPOCH)


@given(
    st.binary(max_size=60)
    | st.builds(
        lambda key, value: body(TICKS, **{key: value}),
        st.sampled_from(list(TICKS)),
        st.none() | st.lists(st.integers() | st.floats()),
    )
)
def test_whatever_the_bytes_nothing_but_malformed_is_raised(answer: bytes) -> None:
    for parse in (lambda: ARCHIVE.parse_ticks(answer, HOUR), lambda: ARCHIVE.parse_candles(answer, DAY, EPOCH)):
        try:
            parse()
        except RemoteMalformed:
            continue
