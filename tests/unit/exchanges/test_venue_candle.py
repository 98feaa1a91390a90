"""An exchange's own candle: what no market can have made is refused, whoever tells it."""

from decimal import Decimal
from typing import Any

import pytest
from marketdata.exchanges.venue_candle import venue_candle
from marketdata.model.candle import Candle, Source
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.model.times import nanoseconds

from tests.market import at

PRICES = tuple(map(Decimal, ("10", "12", "9", "11")))


def told(**changes: Any) -> Candle:
    usual: dict[str, Any] = {
        "open_ns": nanoseconds(at("10:00")),
        "prices": PRICES,
        "volume": Decimal(3),
        "observed_at": at("10:05"),
    }
    return venue_candle("coinbase", "BTC-USD", changes.pop("timeframe", M1), **{**usual, **changes})


def test_what_an_exchange_does_not_give_is_none_and_its_word_ranks_as_its_own() -> None:
    candle = told()
    assert (candle.open, candle.high, candle.low, candle.close, candle.volume) == (*PRICES, Decimal(3))
    assert (candle.quote_volume, candle.trades, candle.taker_buy_volume, candle.first_id, candle.last_id) == (None,) * 5
    assert (candle.source, candle.open_time, candle.observed_at) == (Source.VENUE, at("10:00"), at("10:05"))


def test_one_that_is_not_over_yet_is_a_part() -> None:
    assert told(complete=False).source is Source.PARTIAL


@pytest.mark.parametrize(
    "prices", [("10", "9", "9", "10"), ("10", "12", "11", "11"), ("0", "0", "0", "0"), ("-1", "-1", "-1", "-1")]
)
def test_prices_out_of_order_are_no_candle(prices: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="impossible candle"):
        told(prices=tuple(map(Decimal, prices)))


@pytest.mark.parametrize("figure", ["volume", "quote_volume", "taker_buy_volume"])
def test_no_figure_is_negative(figure: str) -> None:
    with pytest.raises(ValueError, match="impossible candle"):
        told(**{figure: Decimal(-1)})


@pytest.mark.parametrize("name", ["5m", "1h", "1d", "1w"])
def test_a_candle_opens_where_a_bucket_does(name: str) -> None:
    with pytest.raises(ValueError, match=f"no {name} candle of UTC opens at"):
        told(timeframe=timeframe_named(name), open_ns=nanoseconds(at("10:01")))
