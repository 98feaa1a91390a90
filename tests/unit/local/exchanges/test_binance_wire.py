"""Frames and rows of the Binance that runs here, letter for letter in the shapes of its documentation."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Side, Trade

from local.exchanges.binance_wire import (
    aggregate_event,
    aggregate_row,
    encode,
    kline_event,
    kline_row,
    opening,
    trade_event,
    trade_row,
)

OPENS = datetime(2022, 12, 31, 19, 43, tzinfo=UTC)
NOW = OPENS + timedelta(seconds=2, milliseconds=136)
TRADE = Trade("BNBBTC", 12345, nanoseconds(NOW), Decimal("0.001"), Decimal(100), Side.SELL)
BUY = Trade("BNBBTC", 12346, nanoseconds(NOW), Decimal("0.0025"), Decimal(50), Side.BUY)


def test_a_trade_is_written_with_the_makers_flag() -> None:
    assert encode(trade_event(TRADE, NOW)) == (
        '{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.00100000","q":"100.00000000",'
        '"T":1672515782136,"m":true,"M":true}'
    )
    assert encode(trade_row(TRADE)) == (
        '{"id":12345,"price":"0.00100000","qty":"100.00000000","quoteQty":"0.10000000","time":1672515782136,'
        '"isBuyerMaker":true,"isBestMatch":true}'
    )


def test_an_aggregate_is_written_with_its_number_and_its_ids() -> None:
    together = Trade("BNBBTC", 100, nanoseconds(NOW), Decimal("0.001"), Decimal(100), Side.BUY, count=6)
    row = '"a":7,"p":"0.00100000","q":"100.00000000","f":100,"l":105,"T":1672515782136,"m":false,"M":true}'
    assert encode(aggregate_event(together, 7, NOW)) == '{"e":"aggTrade","E":1672515782136,"s":"BNBBTC",' + row
    assert encode(aggregate_row(together, 7)) == "{" + row


def test_a_kline_says_what_its_trades_fold_to() -> None:
    assert encode(kline_event("BNBBTC", "1m", OPENS, [TRADE, BUY], now=NOW, closed=False)) == (
        '{"e":"kline","E":1672515782136,"s":"BNBBTC","k":{"f":12345,"L":12346,"t":1672515780000,"T":1672515839999,'
        '"s":"BNBBTC","i":"1m","o":"0.001","h":"0.0025","l":"0.001","c":"0.0025","v":"150","q":"0.2250",'
        '"V":"50","Q":"0.1250","n":2,"x":false,"B":"0"}}'
    )


def test_a_row_of_a_minute_without_trades_is_flat() -> None:
    assert kline_row(OPENS, "1m", [], Decimal(10)) == [
        1672515780000,
        *["10.00000000"] * 4,
        "0.00000000",
        1672515839999,
        "0.00000000",
        0,
        "0.00000000",
        "0.00000000",
        "0",
    ]


@pytest.mark.parametrize(
    ("interval", "opens"), [("1s", "19:43:02"), ("1m", "19:43:00"), ("4h", "16:00:00"), ("1d", "00:00:00")]
)
def test_buckets_open_where_the_exchange_opens_them(interval: str, opens: str) -> None:
    assert opening(NOW, interval) == datetime.fromisoformat(f"2022-12-31T{opens}+00:00")


def test_weeks_open_on_mondays() -> None:
    assert opening(NOW, "1w") == datetime(2022, 12, 26, tzinfo=UTC)
