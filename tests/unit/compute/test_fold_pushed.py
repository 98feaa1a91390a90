"""Pushed trades folded: exact, by time and then id, and without a promise."""

from decimal import Decimal

from marketdata.compute.fold_pushed import fold_pushed
from marketdata.model.candle import Source
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Side, Trade

from tests.market import BTC, at


def trade(trade_id: int, clock: str, price: str, side: Side = Side.BUY, count: int = 1) -> Trade:
    return Trade("BTC-USD", trade_id, nanoseconds(at(clock)), Decimal(price), Decimal("0.5"), side, count)


def test_open_and_close_are_of_the_first_and_last_by_time_whatever_the_ids() -> None:
    told = [trade(9, "10:00:01", "5"), trade(1, "10:00:59", "7"), trade(5, "10:00:30", "9"), trade(2, "10:01", "3")]
    first, second = fold_pushed(BTC, told)
    assert [str(one) for one in (first.open, first.high, first.low, first.close)] == ["5", "9", "5", "7"]
    assert (first.first_id, first.last_id, first.source) == (1, 9, Source.PARTIAL)
    assert second.open_time == at("10:01")


def test_an_id_that_comes_again_at_another_time_is_another_trade() -> None:
    (one,) = fold_pushed(BTC, [trade(1, "10:00:01", "5"), trade(1, "10:00:02", "5")])
    assert (one.trades, str(one.volume), str(one.quote_volume)) == (2, "1.0", "5.0")


def test_what_takers_bought_is_known_where_every_taker_is() -> None:
    told = [trade(1, "10:00", "5", Side.BUY), trade(2, "10:00", "5", Side.SELL), trade(3, "10:01", "5", Side.UNKNOWN)]
    assert [one.taker_buy_volume for one in fold_pushed(BTC, told)] == [Decimal("0.5"), None]


def test_an_aggregate_counts_the_trades_it_stands_for() -> None:
    (one,) = fold_pushed(BTC, [trade(1, "10:00", "5", count=3)])
    assert (one.trades, one.last_id) == (3, 3)
    assert fold_pushed(BTC, []) == []
