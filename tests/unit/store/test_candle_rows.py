"""Candles on their way to and from the database."""

from datetime import timedelta
from decimal import Decimal

import msgspec
from marketdata.model.candle import Source
from marketdata.model.timeframe import M1
from marketdata.store.candle_rows import CandleColumns, candle_row

from tests.contract.histories import BTC, MINUTE, MONDAY, candle


def test_a_number_keeps_all_its_digits() -> None:
    row = candle_row(candle(0, "0.000000000000000001", volume=Decimal("1234567890123456789012345678.9")), 7)
    assert Decimal(row["open"]) == Decimal("1e-18")
    assert row["volume"] == "1234567890123456789012345678.9"


def test_what_is_not_known_is_null_and_never_zero() -> None:
    row = candle_row(candle(0, quote_volume=None, trades=None, taker_buy_volume=None, first_id=None), 7)
    assert [row[name] for name in ("quote_volume", "trades", "taker_buy_volume", "first_id")] == [None] * 4


def test_columns_become_candles() -> None:
    columns = msgspec.json.decode(
        b"""{"open_time": [1788134400000000], "open": ["0.1"], "high": ["3"], "low": ["0.1"], "close": ["2.50"],
        "volume": ["10"], "quote_volume": [null], "taker_buy_volume": ["4"], "trades": [null],
        "first_id": [9007199254740993], "last_id": [9223372036854775807], "source": [3],
        "observed_at": [1788134460000001], "revision": [4]}""",
        type=CandleColumns,
    )
    [one] = columns.candles(BTC, M1)
    assert one == candle(
        0,
        open=Decimal("0.1"),
        high=Decimal(3),
        low=Decimal("0.1"),
        close=Decimal("2.5"),
        volume=Decimal(10),
        quote_volume=None,
        taker_buy_volume=Decimal(4),
        trades=None,
        first_id=2**53 + 1,
        last_id=2**63 - 1,
        source=Source.VENUE,
        observed_at=MONDAY + MINUTE + timedelta(microseconds=1),
        revision=4,
    )
