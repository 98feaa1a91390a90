"""Currency pairs for a simulated exchange to list."""

from decimal import Decimal

from local.exchanges.products import Product

PAIRS = tuple(
    Product(base, "USD", Decimal(price), 5, Decimal(1_000), trades_a_minute=240, volatility=0.2)
    for base, price in (("EUR", "1.14"), ("GBP", "1.31"))
)
