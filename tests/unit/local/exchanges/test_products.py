from decimal import Decimal

import pytest

from local.exchanges.products import PRODUCTS, Product


def test_every_shipped_price_is_a_multiple_of_its_quote_increment() -> None:
    assert [product.symbol for product in PRODUCTS] == ["BTC-USD", "ETH-USD", "SOL-USD", "DOGE-USD", "ETH-BTC"]
    for product in PRODUCTS:
        assert product.price_ticks * product.quote_increment == product.price


def test_sizes_are_counted_in_hundred_millionths() -> None:
    assert PRODUCTS[0].size_units == 2_000_000


@pytest.mark.parametrize(("price", "quiet", "volatility"), [("0", 0.0, 1.0), ("1", 1.0, 1.0), ("1", 0.0, 7.0)])
def test_a_market_that_cannot_be_is_refused(price: str, quiet: float, volatility: float) -> None:
    with pytest.raises(AssertionError):
        Product("A", "B", Decimal(price), 2, Decimal(1), 10, quiet, volatility)
