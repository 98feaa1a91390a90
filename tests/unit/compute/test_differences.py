"""Candles are compared field by field, as far as both say anything."""

from dataclasses import replace
from decimal import Decimal

import pytest
from marketdata.compute.differences import differing_fields

from tests.contract.histories import candle

ONE = candle(0, "100", volume=Decimal("15.11449948"))


def test_a_candle_does_not_differ_from_itself() -> None:
    assert differing_fields(ONE, ONE) == ()


def test_each_field_that_differs_is_named() -> None:
    other = replace(ONE, high=Decimal(101), close=Decimal("100.5"), trades=4)
    assert differing_fields(ONE, other) == ("high", "close", "trades")


def test_what_one_of_them_does_not_give_is_not_compared() -> None:
    other = replace(ONE, quote_volume=None, trades=None)
    assert differing_fields(ONE, other) == differing_fields(other, ONE) == ()


@pytest.mark.parametrize(
    ("theirs", "differing"), [("15.114499480000001", ()), ("15.11449949", ("volume",)), ("0", ("volume",))]
)
def test_amounts_differ_only_beyond_the_noise_of_floating_point(theirs: str, differing: tuple[str, ...]) -> None:
    assert differing_fields(ONE, replace(ONE, volume=Decimal(theirs))) == differing
