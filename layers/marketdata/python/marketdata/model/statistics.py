"""What is computed of closes: statistics of a window, snapshots, aggregates, and comparisons of two markets.

Made by compute/, kept by the store, defined in docs/data-semantics.md ("Statistics"). A figure that cannot be had is
None, and `absent` says why under its name. `n` returns or closes made it, `coverage` is the share of the buckets that
were there, rounded down to six places, and `formula_version` tells by which definition.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from marketdata.model.timeframe import Timeframe

FORMULA_VERSION = 1
"""Counted up when a definition changes, so that no figure is compared with one of another meaning."""

Reasons = Mapping[str, str]
MarketKey = tuple[str, str]
"""(exchange, symbol)."""


@dataclass(frozen=True, slots=True)
class RoiStatistic:
    """Return and risk of one market over the window that ends at `as_of`, the edge of a bucket of `timeframe`.

    Ratios, not percent: 0.05 is five percent. `volatility`, `sharpe` and `sortino` are of a year; `best` and `worst`
    are the returns of single buckets.
    """

    exchange: str
    symbol: str
    period: str
    as_of: datetime
    timeframe: Timeframe
    roi: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    max_drawdown: float | None
    best: float | None
    worst: float | None
    n: int
    coverage: float
    formula_version: int = FORMULA_VERSION
    absent: Reasons = field(default_factory=dict)
    id: int = 0

    @property
    def key(self) -> tuple[str, str, str, datetime]:
        """What there is one of."""
        return (self.exchange, self.symbol, self.period, self.as_of)

    @property
    def markets(self) -> tuple[MarketKey, ...]:
        """Whose figures these are."""
        return ((self.exchange, self.symbol),)


@dataclass(frozen=True, slots=True)
class MarketSnapshot:
    """One market at `as_of`, the edge of a quarter hour. `n` and `coverage` are of the last 24 hours."""

    exchange: str
    symbol: str
    as_of: datetime
    price: Decimal | None
    volume_24h: Decimal | None
    quote_volume_24h: Decimal | None
    volatility: float | None
    roi_1h: float | None
    roi_24h: float | None
    roi_7d: float | None
    roi_30d: float | None
    n: int
    coverage: float
    formula_version: int = FORMULA_VERSION
    absent: Reasons = field(default_factory=dict)
    id: int = 0

    @property
    def key(self) -> tuple[str, str, str, datetime]:
        """What there is one of."""
        return (self.exchange, self.symbol, "", self.as_of)

    @property
    def markets(self) -> tuple[MarketKey, ...]:
        """Whose figures these are."""
        return ((self.exchange, self.symbol),)


@dataclass(frozen=True, slots=True)
class MarketAggregate:
    """One hour, day or week of a market, which closed at `as_of`.

    `average` is the mean of the closes inside, `change` the return from the close before it to its own; `n` closes.
    """

    exchange: str
    symbol: str
    period: str
    as_of: datetime
    open: Decimal | None
    high: Decimal | None
    low: Decimal | None
    close: Decimal | None
    average: Decimal | None
    volume: Decimal | None
    quote_volume: Decimal | None
    change: float | None
    n: int
    coverage: float
    formula_version: int = FORMULA_VERSION
    absent: Reasons = field(default_factory=dict)
    id: int = 0

    @property
    def key(self) -> tuple[str, str, str, datetime]:
        """What there is one of."""
        return (self.exchange, self.symbol, self.period, self.as_of)

    @property
    def markets(self) -> tuple[MarketKey, ...]:
        """Whose figures these are."""
        return ((self.exchange, self.symbol),)


@dataclass(frozen=True, slots=True)
class MarketComparison:
    """Two markets at the same quarter hour; a pair is there once, the one that sorts first being `first`.

    Ratios are of the first to the second, spreads the first's return less the second's. `n` and `coverage` are the
    lesser of the two.
    """

    first: MarketKey
    second: MarketKey
    as_of: datetime
    price_ratio: float | None
    quote_volume_ratio: float | None
    roi_spread_1h: float | None
    roi_spread_24h: float | None
    roi_spread_7d: float | None
    roi_spread_30d: float | None
    n: int
    coverage: float
    formula_version: int = FORMULA_VERSION
    absent: Reasons = field(default_factory=dict)
    id: int = 0

    def __post_init__(self) -> None:
        assert self.first < self.second, self

    @property
    def key(self) -> tuple[MarketKey, MarketKey, datetime]:
        """What there is one of."""
        return (self.first, self.second, self.as_of)

    @property
    def markets(self) -> tuple[MarketKey, ...]:
        """Whose figures these are."""
        return (self.first, self.second)


Statistic = RoiStatistic | MarketSnapshot | MarketAggregate | MarketComparison
