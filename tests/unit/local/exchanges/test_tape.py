from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marketdata.model.span import Span
from marketdata.model.times import nanoseconds, utc

from local.exchanges.tape import OPENING, Tape
from tests.unit.local.exchanges.market import MINUTE, NOW, SYMBOLS, TAPE, since

SYMBOL = st.sampled_from(SYMBOLS)
MOMENT = st.integers(0, 120 * 1_000_000).map(lambda microseconds: NOW + timedelta(microseconds=microseconds))
THREE_MOMENTS = st.lists(MOMENT, min_size=3, max_size=3, unique=True).map(sorted)


def test_one_seed_gives_one_market_and_another_seed_another() -> None:
    hour = since(NOW, hours=1)
    again, other = Tape(7), Tape(8)
    for symbol in ("DOGE-USD", "ETH-BTC"):
        assert again.trades(symbol, hour) == TAPE.trades(symbol, hour)
        assert other.trades(symbol, hour) != TAPE.trades(symbol, hour)


@given(SYMBOL, THREE_MOMENTS)
def test_the_trades_of_two_neighbouring_spans_are_those_of_the_whole(symbol: str, moments: list[datetime]) -> None:
    start, between, end = moments
    parts = TAPE.trades(symbol, Span(start, between)) + TAPE.trades(symbol, Span(between, end))
    assert parts == TAPE.trades(symbol, Span(start, end))


def test_ids_are_contiguous_and_times_never_run_backwards_over_midnight() -> None:
    night = Span(datetime.fromisoformat("2026-08-09T23:40:00Z"), datetime.fromisoformat("2026-08-10T00:20:00Z"))
    for symbol in SYMBOLS:
        trades = TAPE.trades(symbol, night)
        assert len(trades) > 20
        assert all(later.id == earlier.id + 1 for earlier, later in pairwise(trades))
        assert all(later.time_ns >= earlier.time_ns for earlier, later in pairwise(trades))
        assert all(utc(trade.time_ns) in night for trade in trades)


@given(SYMBOL, MOMENT)
def test_the_look_up_by_id_agrees_with_the_look_up_by_time(symbol: str, moment: datetime) -> None:
    newest_id = TAPE.newest_id(symbol, moment)
    newest, following = TAPE.trades_by_id(symbol, newest_id, newest_id + 2)
    assert (newest.id, following.id) == (newest_id, newest_id + 1)
    assert newest.time_ns < nanoseconds(moment) <= following.time_ns


def test_a_span_holds_the_trades_of_its_start_and_none_of_its_end() -> None:
    trades = TAPE.trades("ETH-BTC", since(NOW, hours=1))
    start, end = utc(trades[2].time_ns), utc(trades[9].time_ns)
    inside = [trade for trade in trades if start <= utc(trade.time_ns) < end]
    assert TAPE.trades("ETH-BTC", Span(start, end)) == inside
    assert trades[2] in inside
    assert trades[9] not in inside


@pytest.mark.slow
@given(SYMBOL, st.integers(1, 10**7), st.integers(0, 1500), st.integers(0, 1500))
@settings(max_examples=30)
def test_a_range_of_ids_is_the_same_in_one_piece_and_in_two(symbol: str, first: int, one: int, two: int) -> None:
    parts = TAPE.trades_by_id(symbol, first, first + one) + TAPE.trades_by_id(symbol, first + one, first + one + two)
    assert parts == TAPE.trades_by_id(symbol, first, first + one + two)
    assert [trade.id for trade in parts] == list(range(first, first + one + two))


@given(SYMBOL, THREE_MOMENTS)
def test_a_bar_is_the_fold_of_the_trades_of_its_span(symbol: str, moments: list[datetime]) -> None:
    span = Span(moments[0], moments[2])
    trades, bar = TAPE.trades(symbol, span), TAPE.bar(symbol, span)
    if bar is None:
        assert trades == []
        return
    prices = [trade.price for trade in trades]
    assert (bar.open, bar.high, bar.low, bar.close) == (prices[0], max(prices), min(prices), prices[-1])
    assert bar.volume == sum(trade.size for trade in trades)


def test_nothing_traded_before_the_exchange_opened() -> None:
    before = Span(OPENING - timedelta(days=2), OPENING)
    for symbol in SYMBOLS:
        assert TAPE.trades(symbol, before) == []
        assert TAPE.bar(symbol, before) is None
        assert TAPE.newest_id(symbol, OPENING - MINUTE / 2) == 0
        assert TAPE.trades_by_id(symbol, -5, 2)[0].id == 1


@pytest.mark.slow
def test_the_quiet_product_has_empty_minutes_and_the_busy_one_none() -> None:
    minutes = [since(NOW + index * MINUTE, minutes=1) for index in range(200)]
    empty = {symbol: sum(not TAPE.trades(symbol, minute) for minute in minutes) for symbol in ("BTC-USD", "ETH-BTC")}
    assert empty["BTC-USD"] == 0
    assert 40 < empty["ETH-BTC"] < 120


def test_prices_stay_plausible_for_years() -> None:
    for symbol, product in TAPE.products.items():
        for day in range(0, 3650, 73):
            bar = TAPE.bar(symbol, since(OPENING + timedelta(days=day), minutes=30))
            assert bar is not None
            assert product.price / 2 < bar.low <= bar.high < product.price * 2
