"""Dukascopy's .bi5 files: the layout of their paths, their records, and everything that can be wrong with them."""

import csv
import json
import lzma
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.compute.coverage import union
from marketdata.compute.fold_columns import fold_columns
from marketdata.compute.quote_bars import QuoteBars
from marketdata.errors import NotFound, RemoteMalformed, RequestInvalid
from marketdata.exchanges.dukascopy import is_flat
from marketdata.exchanges.dukascopy_classic import DukascopyClassic, file_at
from marketdata.model.candle import Candle, Source
from marketdata.model.quote import PriceSide, Quote
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.model.times import EPOCH, nanoseconds

from tests.captures import FOLDER, needs_captures
from tests.unit.exchanges.archives import bi5, bi5_candles, packed

ARCHIVE = DukascopyClassic()
HOUR = file_at("EURUSD/2019/01/04/13h_ticks.bi5")
DAY = file_at("EURUSD/2019/01/04/BID_candles_min_1.bi5")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def places(timeframe: str, start: datetime, end: datetime) -> list[str]:
    files = ARCHIVE.candle_files("EURUSD", timeframe_named(timeframe), PriceSide.ASK, Span(start, end))
    return [file.place for file in files]


def test_months_of_a_path_count_from_zero() -> None:
    files = ARCHIVE.tick_files("EUR/USD", Span(utc(2024, 1, 15, 13), utc(2024, 1, 15, 14, 1)))
    assert [file.place for file in files] == ["EURUSD/2024/00/15/13h_ticks.bi5", "EURUSD/2024/00/15/14h_ticks.bi5"]
    assert places("1m", utc(2024, 12, 31, 5), utc(2025, 1, 1)) == ["EURUSD/2024/11/31/ASK_candles_min_1.bi5"]
    assert places("1h", utc(2024, 2, 29), utc(2024, 3, 2)) == [
        "EURUSD/2024/01/ASK_candles_hour_1.bi5",
        "EURUSD/2024/02/ASK_candles_hour_1.bi5",
    ]
    assert places("1d", utc(2023, 7, 1), utc(2024, 7, 1)) == [
        "EURUSD/2023/ASK_candles_day_1.bi5",
        "EURUSD/2024/ASK_candles_day_1.bi5",
    ]


@pytest.mark.parametrize(
    "place",
    ["EURUSD/2024/00/15/13h_ticks.bi5", "BTCUSD/2023/01/BID_candles_hour_1.bi5", "XAUUSD/2018/ASK_candles_day_1.bi5"],
)
def test_a_path_names_the_file_that_it_was_made_for(place: str) -> None:
    assert file_at(f"/somewhere/else/{place}").place == place


@pytest.mark.parametrize(
    "place", ["EURUSD/ticks.bi5", "EURUSD/2024/12/01/00h_ticks.bi5", "EURUSD/2024/01/30/00h_ticks.bi5"]
)
def test_a_path_outside_the_layout_is_refused_by_name(place: str) -> None:
    with pytest.raises(RequestInvalid, match="path"):
        file_at(place)


def test_an_instrument_without_a_known_factor_is_refused_with_what_begins_alike() -> None:
    with pytest.raises(NotFound) as refused:
        ARCHIVE.tick_files("EURXXX", HOUR.span)
    assert "EURUSD" in refused.value.choices


def test_a_timeframe_that_the_archive_has_not_is_refused() -> None:
    with pytest.raises(RequestInvalid, match="1m, 1h and 1d"):
        ARCHIVE.candle_files("EURUSD", timeframe_named("5m"), PriceSide.BID, HOUR.span)
    with pytest.raises(RequestInvalid, match="middle"):
        ARCHIVE.candle_files("EURUSD", M1, PriceSide.MID, HOUR.span)


def test_a_tick_has_exact_prices_and_sizes_in_base_currency() -> None:
    body = bi5([(994, 114545, 114543, 1.0, 2.06), (994, 114546, 114544, 0.75, 0.0)])
    first = nanoseconds(HOUR.span.start) + 994_000_000
    assert ARCHIVE.parse_ticks(body, HOUR).quotes() == [
        Quote("EURUSD", first, Decimal("1.14543"), Decimal("1.14545"), Decimal(2_060_000), Decimal(1_000_000)),
        Quote("EURUSD", first, Decimal("1.14544"), Decimal("1.14546"), Decimal(0), Decimal(750_000)),
    ]


@pytest.mark.parametrize(
    ("symbol", "price"),
    [
        ("EURUSD", "1.23456"),
        ("USDJPY", "123.456"),
        ("USDTHB", "12.3456"),
        ("BTCUSD", "12345.6"),
        ("AUDCNH", "0.123456"),
    ],
)
def test_the_table_says_how_many_decimals_a_price_has(symbol: str, price: str) -> None:
    file = file_at(f"{symbol}/2019/01/04/13h_ticks.bi5")
    (quote,) = ARCHIVE.parse_ticks(bi5([(0, 123456, 123456, 1, 1)]), file).quotes()
    assert str(quote.bid) == price


def test_a_candle_is_open_close_low_high_on_the_wire() -> None:
    (candle,) = ARCHIVE.parse_candles(bi5_candles([(60, 10, 13, 9, 14, 0.5)]), DAY, EPOCH)
    assert (candle.open, candle.high, candle.low, candle.close) == tuple(Decimal(n) / 100_000 for n in (10, 14, 9, 13))
    assert (candle.open_time, candle.volume, candle.source) == (utc(2019, 2, 4, 0, 1), Decimal(500_000), Source.VENUE)


def test_a_flat_candle_without_volume_is_known_for_one_that_was_made_up() -> None:
    body = bi5_candles([(0, 10, 10, 10, 10, 0.0), (60, 10, 10, 10, 10, 0.5)])
    assert [is_flat(candle) for candle in ARCHIVE.parse_candles(body, DAY, EPOCH)] == [True, False]


def test_candles_of_the_ask_are_of_an_instrument_of_their_own() -> None:
    file = file_at("EURUSD/2019/01/04/ASK_candles_min_1.bi5")
    (candle,) = ARCHIVE.parse_candles(bi5_candles([(0, 10, 10, 10, 10, 1.0)]), file, EPOCH)
    assert candle.symbol == "EURUSD:ask"


def test_no_bytes_at_all_are_no_ticks() -> None:
    assert ARCHIVE.parse_ticks(b"", HOUR).quotes() == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>", "corrupt|format|cut"),
        (packed(b"x" * 21), "multiple"),
        (bi5([(5, 1, 1, 0, 0), (4, 1, 1, 0, 0)]), "backwards"),
        (bi5([(3_600_000, 1, 1, 0, 0)]), "3600000 ms"),
        (bi5([(0, 0, 1, 0, 0)]), "price"),
        (bi5([(0, 1, 1, float("nan"), 0)]), "volume"),
        (bi5([(0, 1, 1, -1.0, 0)]), "volume"),
        (bi5([(n, 114545 + n * 7, 114543 + n, 1.0, 2.06) for n in range(500)])[:-40], "cut"),
    ],
)
def test_a_file_that_cannot_be_is_malformed_and_says_which_and_why(body: bytes, reason: str) -> None:
    with pytest.raises(RemoteMalformed, match=rf"2019/01/04/13h_ticks\.bi5.*({reason})"):
        ARCHIVE.parse_ticks(body, HOUR)


def test_candles_that_cannot_be_are_malformed() -> None:
    for row in [(0, 10, 13, 11, 14, 1.0), (86_400, 1, 1, 1, 1, 1.0), (30, 1, 1, 1, 1, 1.0)]:
        with pytest.raises(RemoteMalformed, match="BID_candles_min_1"):
            ARCHIVE.parse_candles(bi5_candles([row]), DAY, EPOCH)


@given(st.binary(max_size=200) | st.binary(max_size=80).map(packed))
def test_whatever_the_bytes_nothing_but_malformed_is_raised(body: bytes) -> None:
    for parse in (lambda: ARCHIVE.parse_ticks(body, HOUR), lambda: ARCHIVE.parse_candles(body, DAY, EPOCH)):
        try:
            parse()
        except RemoteMalformed:
            continue


@pytest.mark.slow
def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(RemoteMalformed, match="more than"):
        ARCHIVE.parse_ticks(packed(b"\x00" * (65 * 2**20)), HOUR)


@needs_captures
def test_a_day_of_real_ticks_gives_exactly_the_expected_bid_candles() -> None:
    ticks, bars = 0, QuoteBars("dukascopy", "EURUSD", PriceSide.BID)
    spans: list[Span] = []
    folded: list[Candle] = []
    for hour in range(24):
        path = FOLDER / f"dukascopy/EURUSD/2019/01/04/{hour:02}h_ticks.bi5"
        columns = ARCHIVE.parse_ticks(path.read_bytes(), file_at(str(path)))
        ticks, spans = ticks + len(columns), [*spans, file_at(str(path)).span]
        bars.add(columns.quotes())
        folded += fold_columns(columns, "dukascopy", "EURUSD", PriceSide.BID, Source.VENUE)
    with (FOLDER / "expected/dukascopy_EURUSD_2019-02-04_1m_bid.csv").open() as file:
        expected = [
            (int(row["open_time_ms"]), *map(Decimal, list(row.values())[1:5]), int(row["tick_count"]))
            for row in csv.DictReader(file)
        ]
    candles = bars.candles(union(spans), Source.VENUE)
    assert ticks == 136_741
    assert [(*prices(one), one.trades) for one in candles] == expected
    assert {one.source for one in candles} == {Source.VENUE}
    assert folded == candles
    # The exchange's own candles, volumes too, come out of its ticks.
    own = parsed("EURUSD/2019/01/04/BID_candles_min_1.bi5")
    assert [(*prices(one), one.volume) for one in own] == [(*prices(one), one.volume) for one in candles]


@needs_captures
def test_real_candles_equal_what_others_decoded() -> None:
    rows = json.loads(
        (FOLDER / "dukascopy/expected_btcusd-m1-bid-2023-02-19.json").read_text(),
        parse_float=Decimal,
        parse_int=Decimal,
    )
    assert [prices(candle) for candle in parsed("BTCUSD/2023/01/19/BID_candles_min_1.bi5")] == [
        tuple(row.values()) for row in rows
    ]


@needs_captures
def test_the_saturdays_of_a_year_are_flat() -> None:
    days = parsed("EURUSD/2018/BID_candles_day_1.bi5")
    flat = [candle for candle in days if is_flat(candle)]
    assert (len(days), len(flat)) == (365, 52)
    assert {candle.open_time.isoweekday() for candle in flat} == {6}


def prices(candle: Candle) -> tuple[object, ...]:
    return nanoseconds(candle.open_time) // 10**6, candle.open, candle.high, candle.low, candle.close


def parsed(place: str) -> list[Candle]:
    path: Path = FOLDER / "dukascopy" / place
    return ARCHIVE.parse_candles(path.read_bytes(), file_at(place), EPOCH)


def test_a_file_packed_without_saying_how_long_it_is_can_be_read() -> None:
    compressor = lzma.LZMACompressor(format=lzma.FORMAT_ALONE)
    body = compressor.compress(b"") + compressor.flush()
    assert ARCHIVE.parse_ticks(body, HOUR).quotes() == []
