"""Markets to order."""

from datetime import UTC, datetime, timedelta

import pytest
from marketdata.errors import RequestInvalid
from marketdata.model.span import Span

from local.exchanges.products import PRODUCTS
from local.exchanges.synthetic_products import synthetic_products
from local.exchanges.tape import Tape

NOON = datetime(2026, 8, 9, 12, tzinfo=UTC)


def test_a_market_that_is_known_costs_what_it_costs_and_another_always_the_same() -> None:
    bitcoin, other, again = synthetic_products(["BTCUSDT", "FOO-BAR", "EURUSD"], 30)
    assert (bitcoin.symbol, bitcoin.price) == ("BTC-USDT", PRODUCTS[0].price)
    assert other == synthetic_products(["foo/bar", "BTC-USD", "ETH-USD"], 30)[0]
    assert 1 <= other.price < 1_000
    assert again.symbol == "EUR-USD"


@pytest.mark.parametrize("rate", [0.5, 10, 300])
def test_they_trade_as_often_as_was_ordered(rate: float) -> None:
    symbols = ["BTC-USD", "ETH-USD", "FOO-BAR"]
    tape, span = Tape(7, synthetic_products(symbols, rate)), Span(NOON, NOON + timedelta(hours=24))
    traded = sum(tape.next_id(symbol, span.end) - tape.next_id(symbol, span.start) for symbol in symbols)
    assert traded == pytest.approx(rate * 86_400, rel=0.15)


@pytest.mark.parametrize(
    ("symbols", "rate"),
    [
        ([], 1),
        (["BTC-USD", "BTC/USD"], 1),
        (["nothing"], 1),
        ([f"A{number}-USD" for number in range(51)], 1),
        (["BTC-USD"], 0),
        (["BTC-USD"], -1),
        (["BTC-USD"], 1e9),
        (["BTC-USD"], float("nan")),
    ],
)
def test_an_order_that_cannot_be_filled_is_refused(symbols: list[str], rate: float) -> None:
    with pytest.raises(RequestInvalid):
        synthetic_products(symbols, rate)
