"""Ticks and symbols in the shapes that senders have."""

import json
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
from marketdata.serve.pushed_ticks import ID_BITS, read_items, read_symbols, read_ticks
from marketdata.serve.pushed_trades import BYTES_MAX, Pushed, Rejected

from tests.market import BTC, at

PUSHED = Instrument("webhook", "BTCUSDT", "BTC", "USDT")
NOW = at("12:00")
TICK: dict[str, Any] = {"symbol": "BTCUSDT", "price": 65000.1, "volume": "0.50", "ts": "2026-08-09T10:00:00.25Z"}


def find(symbol: str, exchange: str | None) -> Instrument:
    if symbol == "BTCUSDT" and exchange is None:
        return PUSHED
    if symbol == "BTC-USD" and exchange == "coinbase":
        return BTC
    raise NotFound("symbol", "is not here")


def read(body: object) -> tuple[list[Pushed], list[Rejected]]:
    items = read_items(json.dumps(body).encode())
    return read_ticks(items, find, NOW, numbered=lambda exchange: exchange == "coinbase")


def one(**changes: object) -> Trade:
    (pushed,), rejected = read(TICK | changes)
    assert rejected == []
    return pushed.trade


def reason(**changes: object) -> str:
    good, (rejected,) = read(TICK | changes)
    assert good == []
    return rejected.field


def test_a_tick_is_read_exactly_and_a_taker_nobody_told_of_is_unknown() -> None:
    tick = one()
    assert (tick.symbol, tick.price, tick.size, tick.side) == (
        "BTCUSDT",
        Decimal("65000.1"),
        Decimal("0.50"),
        Side.UNKNOWN,
    )
    assert tick.time_ns == nanoseconds(at("10:00:00.25"))


@pytest.mark.parametrize(
    "body", [TICK, [TICK], {"items": [TICK]}, {"ticks": [TICK]}, {"data": [TICK], "source": "mine"}]
)
def test_one_tick_a_list_or_an_object_with_a_list_are_the_same(body: object) -> None:
    assert [pushed.trade for pushed in read(body)[0]] == [one()]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("symbol", "ticker"),
        ("ts", "time"),
        ("ts", "timestamp"),
        ("ts", "t"),
        ("price", "p"),
        ("volume", "size"),
        ("volume", "qty"),
        ("volume", "quantity"),
        ("volume", "amount"),
    ],
)
def test_other_names_mean_the_same(ours: str, theirs: str) -> None:
    renamed = {theirs if name == ours else name: value for name, value in TICK.items()}
    assert [pushed.trade for pushed in read(renamed)[0]] == [one()]


@pytest.mark.parametrize("time", [1786269600, 1786269600000, 1786269600000000, 1786269600000000000, "1786269600"])
def test_times_are_taken_in_any_unit(time: object) -> None:
    assert one(ts=time).time_ns == nanoseconds(at("10:00"))


def test_fields_that_nobody_knows_and_empty_ones_are_the_senders_own() -> None:
    assert one(source="feeder", id=None, side=None, extra={"a": [1]}) == one()


@pytest.mark.parametrize(("side", "meant"), [("buy", Side.BUY), ("SELL", Side.SELL), ("b", Side.BUY)])
def test_a_side_is_the_takers(side: str, meant: Side) -> None:
    assert one(side=side).side is meant


def test_an_id_is_taken_as_it_is_and_a_name_by_its_digest() -> None:
    assert one(id=7).id == one(id="7").id == one(trade_id=7).id == 7
    assert one(id="a-1").id == one(id="a-1").id != one(id="a-2").id
    assert one(id="a-1").id < 2**ID_BITS


def test_without_an_id_a_tick_is_known_by_what_it_says_however_that_is_written() -> None:
    same = one(price="65000.10", volume=0.5, ts=1786269600250)
    assert same.id == one().id < 2**ID_BITS
    others = [one(price=65000.2), one(volume=1), one(side="buy"), one(ts="2026-08-09T10:00:00.250001Z")]
    assert len({tick.id for tick in [one(), *others]}) == 5


def test_ticks_alike_in_one_request_are_several_and_the_same_ones_when_it_is_sent_again() -> None:
    first, _ = read([TICK, TICK, TICK | {"price": 1}, TICK])
    again, _ = read({"items": [TICK | {"price": 1}, TICK, TICK, TICK]})
    assert len({pushed.trade.id for pushed in first}) == 4
    assert {pushed.trade.id for pushed in first} == {pushed.trade.id for pushed in again}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"symbol": "XRPUSDT"}, "symbol"),
        ({"symbol": 7}, "symbol"),
        ({"symbol": None}, "symbol"),
        ({"price": 0}, "price"),
        ({"price": "-1"}, "price"),
        ({"price": None}, "price"),
        ({"price": "1", "last": "2"}, "price"),
        ({"volume": None}, "size"),
        ({"volume": "NaN"}, "size"),
        ({"ts": None}, "time"),
        ({"ts": "yesterday"}, "time"),
        ({"ts": 1.5}, "time"),
        ({"ts": "2027-08-09T10:00:00Z"}, "time"),
        ({"ts": "2020-08-09T10:00:00Z"}, "time"),
        ({"side": "long"}, "side"),
        ({"id": -1}, "id"),
        ({"id": ""}, "id"),
        ({"id": 2**63}, "id"),
        ({"id": [1]}, "id"),
        ({"exchange": 1}, "exchange"),
    ],
)
def test_a_bad_tick_is_explained_by_its_field(changes: dict[str, object], field: str) -> None:
    assert reason(**changes) == field


def test_a_market_that_numbers_its_trades_needs_their_numbers() -> None:
    coinbase = TICK | {"symbol": "BTC-USD", "exchange": "coinbase"}
    _, (rejected,) = read(coinbase)
    assert (rejected.field, "numbers its trades" in rejected.reason) == ("id", True)
    (pushed,), _ = read(coinbase | {"id": 7})
    assert (pushed.instrument, pushed.trade.id) == (BTC, 7)


def test_the_good_are_kept_and_the_bad_keep_their_place() -> None:
    good, bad = read([TICK, "tick", 7, TICK | {"price": -1}, TICK | {"id": 3}])
    assert [pushed.index for pushed in good] == [0, 4]
    assert [(rejected.index, rejected.field) for rejected in bad] == [(1, "item"), (2, "item"), (3, "price")]


@pytest.mark.parametrize("body", [b"", b"null", b"7", b'"x"', b"[", b"\xff", b'{"items": 7}', b"[" * 10_000])
def test_a_body_that_holds_no_items_is_refused(body: bytes) -> None:
    with pytest.raises(RequestInvalid):
        read_items(body)


def test_a_body_beyond_bounds_is_refused_whole() -> None:
    with pytest.raises(TooLarge):
        read_items(b" " * (BYTES_MAX + 1))
    with pytest.raises(TooLarge):
        read_items(json.dumps([{}] * 1_001).encode())


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_whatever_a_field_holds_it_is_a_tick_or_explained(value: object) -> None:
    for name in (*TICK, "id", "side", "exchange"):
        good, bad = read([TICK | {name: value}])
        assert len(good) + len(bad) == 1


def symbols(*items: object) -> tuple[list[Instrument], list[Rejected]]:
    good, bad = read_symbols([msgspec.Raw(json.dumps(item).encode()) for item in items])
    return [one.instrument for one in good], bad


def test_a_symbol_is_an_instrument_that_is_only_pushed() -> None:
    told = {"symbol": "BTCUSDT", "base": "btc", "quote": "USDT", "active": True}
    assert symbols(told) == ([PUSHED], [])
    assert PUSHED.pushed
    assert symbols({"symbol": "BTCUSDT"}) == ([PUSHED], [])


def test_invented_ones_are_labelled_so() -> None:
    ((invented,), _) = symbols({"symbol": "BTCUSDT", "exchange": "webhook-simulated", "active": False})
    assert (invented.exchange, invented.simulated, invented.active) == ("webhook-simulated", True, False)


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"symbol": "BTCUSDT", "exchange": "coinbase"}, "exchange"),
        ({"symbol": ""}, "symbol"),
        ({"symbol": "no such pair"}, "symbol"),
        ({"symbol": "NOTHING"}, "symbol"),
        ({"symbol": "BTCUSDT", "base": "B T C", "quote": "USDT"}, "base"),
        ({"base": "BTC"}, "item"),
        ({"symbol": "BTCUSDT", "active": "yes"}, "item"),
        (7, "item"),
    ],
)
def test_a_bad_symbol_is_explained(item: object, field: str) -> None:
    good, (rejected,) = symbols(item)
    assert (good, rejected.field) == ([], field)
