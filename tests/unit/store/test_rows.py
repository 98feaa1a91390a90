"""Values on their way to and from the database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import msgspec
import pytest
from marketdata.model.candle import Source
from marketdata.model.timeframe import M1
from marketdata.store.rows import CandleColumns, FeedRow, TradeColumns, candle_row, feed_row, multirange
from marketdata.store.store import FeedStatus

from tests.contract.histories import BTC, MINUTE, MONDAY, candle, span


def test_a_number_keeps_all_its_digits() -> None:
    row = candle_row(candle(0, "0.000000000000000001", volume=Decimal("1234567890123456789012345678.9")), 7)
    assert Decimal(row["open"]) == Decimal("1e-18")
    assert row["volume"] == "1234567890123456789012345678.9"


def test_what_is_not_known_is_null_and_never_zero() -> None:
    row = candle_row(candle(0, quote_volume=None, trades=None, taker_buy_volume=None, first_id=None), 7)
    assert [row[name] for name in ("quote_volume", "trades", "taker_buy_volume", "first_id")] == [None] * 4


def test_spans_are_ranges_without_their_end() -> None:
    assert multirange([span(0, 1)]) == "{[2026-08-31T00:00:00Z,2026-08-31T00:01:00Z)}"
    assert multirange([]) == "{}"


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


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="columns of"):
        msgspec.json.decode(
            b'{"time":[1],"trade_id":[1,2],"price":[],"size":[],"taker_buy":[],"count":[]}', type=TradeColumns
        )


def test_what_a_feed_says_survives_the_way_there_and_back() -> None:
    status = FeedStatus("coinbase", "one", "live", MONDAY, MONDAY + MINUTE, MONDAY, None, 1, 2, 3, 4, 5, "fine")
    there = msgspec.json.encode(feed_row(status))
    assert msgspec.json.decode(there, type=FeedRow).status == status


def test_times_come_back_in_utc_whatever_the_server_speaks() -> None:
    berlin = datetime(2026, 8, 31, 2, tzinfo=timezone(timedelta(hours=2)))
    row = feed_row(FeedStatus("coinbase", "one", "live", MONDAY, MONDAY))
    status = msgspec.convert(row | {"started_at": berlin.isoformat()}, FeedRow).status
    assert status.started_at.tzinfo is UTC
    assert replace(status, started_at=MONDAY) == status
