"""Return and risk: the formulas, over returns and closes of consecutive buckets.

Called by compute/statistics_windows.py. docs/data-semantics.md ("Statistics") defines each, and says where the
definitions of empyrical and quantstats differ.

Arithmetic is binary floating point, the sums exact before they are rounded once (`math.fsum`, and the norms of `math`,
good to the last place), so that no order of additions and no vector width changes a figure. Prices come as exact
decimals and become floats here and nowhere earlier: a return is good to 4e-16, of which every figure is made.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from itertools import pairwise
from operator import sub, truediv

RESOLUTION = 1e-15
"""Returns that vary by less do not vary: that much is the rounding of closes to floats."""

_DEEP = -0.5
_DIGITS = 40


@dataclass(frozen=True, slots=True)
class Moments:
    """What a run of returns is reduced to; deviations are of one bucket. `deviation` needs two returns."""

    n: int
    mean: float
    deviation: float | None
    downside: float


def roi(first: Decimal, last: Decimal) -> float:
    """Return on investment, C_T / C_(T-w) - 1: the exact quotient, rounded once."""
    with localcontext() as context:
        context.prec = _DIGITS
        return float((last - first) / first)


def changes(closes: Sequence[float]) -> list[float]:
    """The simple return of each bucket: close over the close before, less one."""
    return list(map(truediv, map(sub, closes[1:], closes), closes))


def log_returns(closes: Sequence[float], simple: Sequence[float]) -> list[float]:
    """The same as logarithms, which add up over time; `simple` are the changes of `closes`, all above zero."""
    if not simple or min(simple) > _DEEP:
        return list(map(math.log1p, simple))
    # After a deep fall 1 + change has lost the digits that the quotient still has.
    falls = zip(simple, pairwise(closes), strict=True)
    return [math.log1p(one) if one > _DEEP else math.log(close / before) for one, (before, close) in falls]


def moments(returns: Sequence[float], target: float = 0.0) -> Moments:
    """Mean, sample deviation (n - 1) and downside deviation (below `target`, over all n) of at least one return."""
    n = len(returns)
    mean = math.fsum(returns) / n
    deviation = _noticed(math.dist(returns, [mean] * n) / math.sqrt(n - 1)) if n > 1 else None
    below = [one - target for one in returns if one < target]
    downside = _noticed(math.hypot(*below) / math.sqrt(n))
    return Moments(n, mean, deviation, downside)


def volatility(told: Moments, periods_per_year: float) -> float | None:
    """The sample deviation of a year's worth of buckets; None of fewer than two returns."""
    return None if told.deviation is None else told.deviation * math.sqrt(periods_per_year)


def sharpe(told: Moments, periods_per_year: float, risk_free: float = 0.0) -> float | None:
    """Mean return above `risk_free` (of one bucket) by deviation, of a year; None where nothing varies."""
    if not told.deviation:
        return None
    return (told.mean - risk_free) / told.deviation * math.sqrt(periods_per_year)


def sortino(told: Moments, periods_per_year: float, risk_free: float = 0.0) -> float | None:
    """Mean return above `risk_free` by downside deviation, of a year; None where nothing fell.

    `told` must be moments with `risk_free` as their target.
    """
    if not told.downside:
        return None
    return (told.mean - risk_free) / told.downside * math.sqrt(periods_per_year)


def max_drawdown(closes: Iterable[float]) -> float:
    """The deepest fall below the highest close so far, as a ratio of it: at most 0, and 0 if no close fell."""
    peak = floor = 0.0
    least = 1.0
    for close in closes:
        if close > peak:
            peak = close
            floor = peak * least
        elif close < floor:
            # Only what goes deeper than the deepest so far needs a division.
            floor = close
            least = close / peak
    return least - 1.0


def _noticed(deviation: float) -> float:
    return deviation if deviation > RESOLUTION else 0.0
