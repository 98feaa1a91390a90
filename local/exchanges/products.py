"""What the simulated exchange lists."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Product:
    """One market: what it is called, what it costs, how busy it is.

    `price` is where it wanders around; prices are multiples of the quote increment, 10 ** -`quote_decimals`; sizes have
    8 decimals and a mean of `size_mean`. `trades_a_minute` is the mean of the minutes that are not empty, and
    `quiet` the share of minutes that are. `volatility` scales the walk: 1 is bitcoin's.
    """

    base: str
    quote: str
    price: Decimal
    quote_decimals: int
    size_mean: Decimal
    trades_a_minute: int
    quiet: float = 0.0
    volatility: float = 1.0

    def __post_init__(self) -> None:
        assert self.price_ticks > 0, self
        assert self.trades_a_minute > 0, self
        assert 0.0 <= self.quiet < 1.0, self
        # The walk stays within 0.15 x volatility of the base: more than 6 could reach zero.
        assert 0.0 < self.volatility <= 6.0, self

    @property
    def symbol(self) -> str:
        """The name on the wire."""
        return f"{self.base}-{self.quote}"

    @property
    def quote_increment(self) -> Decimal:
        """The smallest step of a price."""
        return Decimal(1).scaleb(-self.quote_decimals)

    @property
    def price_ticks(self) -> int:
        """The base price in quote increments."""
        return int(self.price.scaleb(self.quote_decimals))

    @property
    def size_units(self) -> int:
        """The mean size in base increments."""
        return int(self.size_mean.scaleb(SIZE_DECIMALS))


SIZE_DECIMALS = 8

# About twenty trades a second together; ETH-BTC has minutes without any.
PRODUCTS: tuple[Product, ...] = (
    Product("BTC", "USD", Decimal(65_000), 2, Decimal("0.02"), trades_a_minute=600),
    Product("ETH", "USD", Decimal(3_200), 2, Decimal("0.4"), trades_a_minute=360, volatility=1.2),
    Product("SOL", "USD", Decimal(150), 2, Decimal(6), trades_a_minute=180, volatility=1.6),
    Product("DOGE", "USD", Decimal("0.2"), 5, Decimal(900), trades_a_minute=90, quiet=0.03, volatility=1.8),
    Product("ETH", "BTC", Decimal("0.05"), 5, Decimal("0.2"), trades_a_minute=2, quiet=0.4, volatility=0.8),
)
