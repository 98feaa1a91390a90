"""Markets two by two: every unordered pair of the snapshots of one moment, once. Called by jobs/roi_stats.py."""

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal, localcontext
from itertools import combinations

from marketdata.model.statistics import MarketComparison, MarketSnapshot

NO_FIRST = "the first market has none"
NO_SECOND = "the second market has none"
ZERO = "the second market's is zero"
BEYOND = "it is too large to say"

_SPREADS = ("roi_1h", "roi_24h", "roi_7d", "roi_30d")
_DIGITS = 40


def comparisons(snapshots: Sequence[MarketSnapshot]) -> Iterator[MarketComparison]:
    """Each pair of `snapshots`, all of one moment, ordered by (exchange, symbol)."""
    for first, second in combinations(sorted(snapshots, key=lambda one: one.key), 2):
        yield compare(first, second)


def compare(first: MarketSnapshot, second: MarketSnapshot) -> MarketComparison:
    """Two markets at the same time; a ratio to zero, or to nothing, is None with the reason."""
    assert first.as_of == second.as_of, (first, second)
    price, no_price = _ratio(first.price, second.price)
    volume, no_volume = _ratio(first.quote_volume_24h, second.quote_volume_24h)
    spreads = {name: _spread(getattr(first, name), getattr(second, name)) for name in _SPREADS}
    absent = {"price_ratio": no_price, "quote_volume_ratio": no_volume}
    absent |= {name.replace("roi", "roi_spread"): reason for name, (_, reason) in spreads.items()}
    return MarketComparison(
        first=(first.exchange, first.symbol),
        second=(second.exchange, second.symbol),
        as_of=first.as_of,
        price_ratio=price,
        quote_volume_ratio=volume,
        roi_spread_1h=spreads["roi_1h"][0],
        roi_spread_24h=spreads["roi_24h"][0],
        roi_spread_7d=spreads["roi_7d"][0],
        roi_spread_30d=spreads["roi_30d"][0],
        n=min(first.n, second.n),
        coverage=min(first.coverage, second.coverage),
        absent={name: reason for name, reason in absent.items() if reason},
    )


def _ratio(first: Decimal | None, second: Decimal | None) -> tuple[float | None, str]:
    if first is None or second is None:
        return None, _lacking(first)
    if not second:
        return None, ZERO
    with localcontext() as context:
        context.prec = _DIGITS
        ratio = float(first / second)
    return (ratio, "") if math.isfinite(ratio) else (None, BEYOND)


def _spread(first: float | None, second: float | None) -> tuple[float | None, str]:
    if first is None or second is None:
        return None, _lacking(first)
    return first - second, ""


def _lacking(first: object) -> str:
    return NO_FIRST if first is None else NO_SECOND
