"""Markets two by two."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from marketdata.compute import comparisons as compared
from marketdata.compute.comparisons import compare, comparisons
from marketdata.model.statistics import MarketSnapshot

from tests.market import at

A = MarketSnapshot(
    "coinbase",
    "A-USD",
    at("10:00"),
    Decimal(10),
    Decimal(1),
    Decimal(300),
    0.5,
    0.1,
    0.2,
    None,
    0.4,
    n=288,
    coverage=1.0,
)
B = replace(
    A, symbol="B-USD", price=Decimal(4), quote_volume_24h=Decimal(0), roi_1h=-0.1, roi_7d=0.0, n=200, coverage=0.7
)

amounts = st.none() | st.decimals(0, 10**12, places=4)


def test_ratios_and_spreads_are_of_the_first_to_the_second() -> None:
    row = compare(A, B)
    assert (row.first, row.second, row.as_of) == (("coinbase", "A-USD"), ("coinbase", "B-USD"), at("10:00"))
    assert (row.price_ratio, row.roi_spread_1h, row.roi_spread_24h) == (2.5, 0.2, 0.0)
    assert (row.n, row.coverage) == (200, 0.7)


def test_a_ratio_to_zero_or_to_nothing_is_null_with_its_reason() -> None:
    row = compare(A, B)
    assert (row.quote_volume_ratio, row.roi_spread_7d) == (None, None)
    assert dict(row.absent) == {"quote_volume_ratio": compared.ZERO, "roi_spread_7d": compared.NO_FIRST}
    lacking = compare(A, replace(B, price=None))
    assert (lacking.price_ratio, lacking.absent["price_ratio"]) == (None, compared.NO_SECOND)


def test_every_pair_is_there_once_in_order() -> None:
    markets = [replace(A, symbol=name) for name in ("C-USD", "A-USD", "D-USD", "B-USD")]
    pairs = [(row.first[1][0], row.second[1][0]) for row in comparisons(markets)]
    assert pairs == [("A", "B"), ("A", "C"), ("A", "D"), ("B", "C"), ("B", "D"), ("C", "D")]
    assert list(comparisons(markets[:1])) == []


@given(amounts, amounts)
def test_a_ratio_is_a_finite_number_or_has_a_reason(first: Decimal | None, second: Decimal | None) -> None:
    row = compare(replace(A, quote_volume_24h=first), replace(B, quote_volume_24h=second))
    assert (row.quote_volume_ratio is None) == ("quote_volume_ratio" in row.absent)
    if first and second:
        back = compare(replace(A, quote_volume_24h=second), replace(B, quote_volume_24h=first))
        assert row.quote_volume_ratio is not None
        assert back.quote_volume_ratio is not None
        assert abs(row.quote_volume_ratio * back.quote_volume_ratio - 1) < 1e-15
