"""Trades as someone pushes them."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.errors import NotFound, RequestInvalid, TooLarge
from marketdata.model.instrument import Instrument
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Side, Trade
from marketdata.serve.decimals import plain
from marketdata.serve.pushed_trades import BYTES_MAX, Pushed, Rejected, read_batch, read_trades

NOW = datetime(2026, 8, 9, 21, 6, tzinfo=UTC)
BTC = Instrument("coinbase", "BTC-USD", "BTC", "USD")
GOOD: dict[str, Any] = {
    "symbol": "BTC-USD",
    "id": 7,
    "time": "2026-08-09T21:05:00.25Z",
    "price": "65000.10",
    "size": "0.5",
    "side": "buy",
}


def find(symbol: str) -> Instrument:
    if symbol != BTC.symbol:
        raise NotFound("symbol", "is not followed here")
    return BTC


def read(*trades: bytes) -> tuple[list[Pushed], list[Rejected]]:
    batch = read_batch(b'{"exchange":"coinbase","trades":[%b]}' % b",".join(trades))
    return read_trades(batch.trades, find, NOW)


def written(**changes: object) -> bytes:
    return json.dumps(GOOD | changes).encode()


def test_a_trade_is_read_exactly() -> None:
    good, bad = read(written())
    time_ns = nanoseconds(datetime(2026, 8, 9, 21, 5, 0, 250_000, tzinfo=UTC))
    trade = Trade("BTC-USD", 7, time_ns, Decimal("65000.10"), Decimal("0.5"), Side.BUY)
    assert (good, bad) == ([Pushed(0, BTC, trade)], [])


@given(st.decimals(min_value="0.000000000000000001", max_value=10**20, allow_nan=False, places=18))
def test_a_json_number_is_as_exact_as_a_string(price: Decimal) -> None:
    text = plain(price).encode()
    as_number = written().replace(b'"65000.10"', text)
    as_string = written().replace(b"65000.10", text)
    good, _ = read(as_number, as_string)
    assert [one.trade.price for one in good] == [price, price]


def test_an_integer_time_is_read_by_its_magnitude() -> None:
    good, _ = read(written(time=1786309500250), written(time=1786309500250000123))
    assert [one.trade.time_ns for one in good] == [1786309500250000000] * 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("symbol", "DOGE-USD"),
        ("id", -1),
        ("id", 2**63),
        ("id", "7"),
        ("time", "now"),
        ("time", "2026-08-09T21:08:00Z"),
        ("time", "2020-01-01T00:00:00Z"),
        ("price", "0"),
        ("price", "-1"),
        ("price", "NaN"),
        ("price", "1_0"),
        ("price", ""),
        ("price", "1e999"),
        ("price", "9" * 41),
        ("price", True),
        ("size", None),
        ("size", [1]),
        ("side", "hold"),
    ],
)
def test_a_bad_trade_is_rejected_by_its_place_and_field_and_the_others_stay(field: str, value: object) -> None:
    good, bad = read(written(), written(**{field: value}), written(id=8))
    assert [one.index for one in good] == [0, 2]
    assert [(one.index, one.field) for one in bad] == [(1, field)]
    assert bad[0].reason


def test_a_missing_field_is_named() -> None:
    trade = {name: value for name, value in GOOD.items() if name != "size"}
    _, bad = read(json.dumps(trade).encode())
    assert bad[0].field == "size"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"exchange":"coinbase"}', b'{"exchange":1,"trades":[]}', b"\xff"]
)
def test_what_is_no_batch_is_refused_whole(body: bytes) -> None:
    with pytest.raises(RequestInvalid):
        read_batch(body)


def test_a_batch_is_bounded() -> None:
    with pytest.raises(TooLarge, match="trades"):
        read_batch(msgspec.json.encode({"exchange": "coinbase", "trades": [1] * 1001}))
    with pytest.raises(TooLarge, match="body"):
        read_batch(b" " * (BYTES_MAX + 1))


@given(st.binary(max_size=60))
def test_whatever_is_pushed_is_a_batch_or_the_callers_mistake(body: bytes) -> None:
    with suppress(RequestInvalid):
        read_trades(read_batch(body).trades, find, NOW)


def test_a_minute_of_clock_difference_is_no_future() -> None:
    assert not read(written(time=(NOW + timedelta(seconds=59)).isoformat()))[1]
