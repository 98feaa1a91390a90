"""Users' rules about markets."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from marketdata.compute.market_rules import Measured, market_condition, market_value, minutes_needed, windows_of
from marketdata.model.alert_rule import Direction, MarketRule, MarketRuleKind
from marketdata.model.candle import Candle

from tests.market import MINUTE, at, candle

CROSSES, MOVES, SPIKE, ROI, DRAWDOWN = MarketRuleKind


def rule(
    kind: MarketRuleKind, bound: str, clear: str, direction: Direction = Direction.ABOVE, window: str = ""
) -> MarketRule:
    return MarketRule("mine", kind, "coinbase", "BTC-USD", Decimal(bound), Decimal(clear), direction, window)


def priced(*prices: str, **changes: Any) -> list[Candle]:
    """A candle a minute from 10:00."""
    opening = at("10:00")
    return [replace(candle(opening + place * MINUTE, price=one), **changes) for place, one in enumerate(prices)]


def value(one: MarketRule, candles: Sequence[Candle]) -> Decimal | None:
    return market_value(one, candles)


def states(one: MarketRule, *values: str | None, firing: bool = False) -> list[bool | None]:
    """Of each value whether it is firm; None if nothing holds."""
    shown = [market_condition(Measured(one, None if text is None else Decimal(text)), firing=firing) for text in values]
    return [None if condition is None else condition.firm for condition in shown]


def test_a_price_is_the_newest_close_exactly() -> None:
    assert value(rule(CROSSES, "1", "1"), priced("5", "0.00000001")) == Decimal("0.00000001")
    assert value(rule(CROSSES, "1", "1"), []) is None


def test_a_move_is_the_percentage_since_the_close_before_the_window() -> None:
    moves = rule(MOVES, "5", "4", Direction.EITHER, "5m")
    assert value(moves, priced("100", "1", "1", "1", "1", "105")) == Decimal(5)
    assert value(moves, priced("1", "1", "1", "1", "105")) is None
    assert minutes_needed(moves) == 6


def test_a_minute_without_trades_repeats_the_close_before_it() -> None:
    moves = rule(MOVES, "5", "4", Direction.EITHER, "5m")
    whole = priced("100", "1", "1", "1", "1", "1", "1", "90")
    assert value(moves, [whole[0], whole[7]]) == Decimal(-10)


def test_a_spike_is_so_many_times_the_usual_volume_of_the_window() -> None:
    spike = rule(SPIKE, "3", "2", window="5m")
    quiet = priced(*["1"] * 100, volume=Decimal(2))
    loud = [replace(one, volume=Decimal(9)) for one in priced(*["1"] * 105)[100:]]
    assert value(spike, [*quiet, *loud]) == Decimal("4.5")
    assert value(spike, loud) is None
    assert value(spike, [replace(one, volume=Decimal(0)) for one in [*quiet, *loud]]) is None


def test_it_holds_past_its_bound_and_is_over_behind_the_other() -> None:
    assert states(rule(CROSSES, "70000", "69860"), "70000", "69999", "69860", "69859") == [True, False, False, None]
    dear = rule(CROSSES, "70000", "70140", Direction.BELOW)
    assert states(dear, "70000", "70001", "70140", "70141") == [True, False, False, None]
    moved = rule(MOVES, "5", "4.5", Direction.EITHER, "1h")
    assert states(moved, "-5", "5", "-4.6", "4.4") == [True, True, False, None]
    fallen = rule(DRAWDOWN, "-20", "-18", Direction.BELOW, "30d")
    assert states(fallen, "-20", "-19", "-17") == [True, False, None]


def test_a_value_that_nobody_knows_begins_nothing_and_ends_nothing() -> None:
    crosses = rule(CROSSES, "1", "1")
    assert states(crosses, None) == [None]
    assert states(crosses, None, firing=True) == [False]


@pytest.mark.parametrize(("kind", "window"), [(MOVES, "24h"), (SPIKE, "4h"), (ROI, "365d"), (DRAWDOWN, "1h")])
def test_each_kind_has_its_windows(kind: MarketRuleKind, window: str) -> None:
    assert window in windows_of(kind)
    assert windows_of(CROSSES) == ()
    assert "24h" not in windows_of(SPIKE)


def test_its_key_names_the_rule_and_no_value() -> None:
    condition = market_condition(Measured(rule(CROSSES, "1", "1"), Decimal("1.23456789123")), firing=False)
    assert condition is not None
    assert condition.dedup_key == "coinbase:BTC-USD:market.price_crosses:mine"
    assert condition.summary == "coinbase BTC-USD: price crosses is 1.23456789, above 1"
