from datetime import timedelta

import pytest
from marketdata.model.trade import Trade

from local.exchanges.faults import Faults
from local.exchanges.session import Every, FellBehind, TradeLine
from tests.unit.local.exchanges.market import NOW, SECOND, TAPE, since

MINUTE_OF_TRADES = TAPE.trades("BTC-USD", since(NOW, seconds=60))


def line(faults: Faults | None = None, connection: int = 1) -> TradeLine:
    return TradeLine(TAPE, "BTC-USD", faults or Faults(), connection, NOW)


def told(trades: TradeLine, *at_seconds: float) -> list[list[Trade]]:
    return [trades.due(NOW + seconds * SECOND) for seconds in at_seconds]


def test_every_trade_is_told_once_and_none_from_before() -> None:
    first, repeated, second = told(line(), 20, 20, 60)
    assert first + second == MINUTE_OF_TRADES
    assert repeated == []


def test_a_clock_that_steps_back_repeats_nothing() -> None:
    assert told(line(), 20, 10, 20)[1:] == [[], []]


def test_dropped_trades_are_gone() -> None:
    faults = Faults(seed=1)
    faults.drop_matches(0.2)
    (trades,) = told(line(faults), 60)
    assert 0.1 < 1 - len(trades) / len(MINUTE_OF_TRADES) < 0.3
    assert [trade for trade in MINUTE_OF_TRADES if trade in trades] == trades


def test_duplicated_trades_come_twice() -> None:
    faults = Faults(seed=1)
    faults.duplicate_matches(0.2)
    (trades,) = told(line(faults), 60)
    assert len(trades) > len(MINUTE_OF_TRADES)
    assert list(dict.fromkeys(trade.id for trade in trades)) == [trade.id for trade in MINUTE_OF_TRADES]


def test_trades_held_back_come_late_and_out_of_order_but_come() -> None:
    faults = Faults(seed=1)
    faults.hold_back_matches(0.2, 30 * SECOND)
    early, late = told(line(faults), 10, 40)
    held = {trade.id for trade in MINUTE_OF_TRADES if trade.id < early[-1].id} - {trade.id for trade in early}
    assert held
    assert held <= {trade.id for trade in late[-len(held) - 1 :]}
    assert late != sorted(late, key=lambda trade: trade.id)


def test_what_a_mute_product_trades_is_not_told_later() -> None:
    faults = Faults()
    trades = line(faults)
    faults.mute("BTC-USD")
    assert told(trades, 20) == [[]]
    faults.heal()
    (later,) = told(trades, 60)
    assert later == MINUTE_OF_TRADES[-len(later) :]
    assert len(later) < len(MINUTE_OF_TRADES)


def test_a_clock_that_leaps_an_hour_breaks_the_connection_instead_of_flooding_it() -> None:
    with pytest.raises(FellBehind):
        line().due(NOW + timedelta(hours=1))


def test_something_periodic_is_due_once_each_period_and_once_after_a_leap() -> None:
    every = Every(SECOND, NOW)
    due = [every.is_due(NOW + seconds * SECOND) for seconds in (0.9, 1.0, 1.5, 2.1, 2.9, 3.0, 9.5, 9.6, 10.4, 10.5)]
    assert due == [False, True, False, True, False, True, True, False, False, True]
