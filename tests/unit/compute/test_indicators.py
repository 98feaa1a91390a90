"""Moving averages: exact, and none across a hole."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from marketdata.compute.indicators import moving_averages
from marketdata.model.candle import Candle
from marketdata.model.span import Span

from tests.market import MINUTE, at, candle


def closing(*closes: str, start: str = "10:00") -> list[Candle]:
    return [candle(at(start) + MINUTE * place, price=close) for place, close in enumerate(closes)]


def test_there_is_no_mean_before_enough_candles_stand_beside_each_other() -> None:
    assert moving_averages(closing("1", "2", "6"), 3) == [None, None, 3]
    assert moving_averages([], 3) == []


def test_a_missing_bucket_breaks_the_chain_until_it_is_whole_again() -> None:
    broken = closing("1", "2", "3") + closing("4", "5", "6", start="10:04")
    assert moving_averages(broken, 3) == [None, None, 2, None, None, 5]


def test_a_bucket_in_which_nobody_traded_repeats_the_close_before_it() -> None:
    quiet = closing("1", "2") + closing("5", start="10:03")
    assert moving_averages(quiet, 3, (Span(at("10:02"), at("10:03")),)) == [None, None, 3]
    long_quiet = closing("1") + closing("4", start="11:00")
    assert moving_averages(long_quiet, 3, (Span(at("10:01"), at("11:00")),)) == [None, 2]


def test_emptiness_that_is_known_of_a_part_alone_proves_nothing() -> None:
    quiet = closing("1", "2") + closing("6", start="10:04")
    assert moving_averages(quiet, 3, (Span(at("10:02"), at("10:03")),)) == [None, None, None]


@given(st.lists(st.decimals("0.00000001", "1e12", places=8), min_size=10, max_size=15))
def test_a_mean_of_ten_closes_is_exact(closes: list[Decimal]) -> None:
    candles = [
        replace(one, open=close, high=close, low=close, close=close)
        for one, close in zip(closing(*["1"] * len(closes)), closes, strict=True)
    ]
    assert moving_averages(candles, 10)[9:] == [
        sum(closes[place - 9 : place + 1]) * Decimal("0.1") for place in range(9, len(closes))
    ]
