"""Where each exchange is and what its feeds are called: all that settings need, without an adapter being imported.

How an exchange is read stands in the registry, which has a row for each of these.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from marketdata.errors import RequestInvalid

SIMULATED_SUFFIX = "-simulated"
"""An exchange of this ending is the built-in simulator of the one before it; its data is never mixed with real data."""

BINANCE_ARCHIVE_URL = "https://data.binance.vision"
OANDA_STREAM_URL = "https://stream-fxtrade.oanda.com"
COINGECKO_REST_URLS: Mapping[str, str] = MappingProxyType(
    {"demo": "https://api.coingecko.com/api/v3", "pro": "https://pro-api.coingecko.com/api/v3"}
)
"""By the plan that the key is of."""
COINGECKO_REQUESTS_A_MINUTE = 30
"""Of the demo plan, by its page of prices; its page of errors says 100, and paid plans have 250 and more."""
_SYNTHETIC_REST_URL = "http://127.0.0.1:8100/synthetic"
"""Where a house on this machine has it; there is no other."""


class Place(NamedTuple):
    """The public addresses of one exchange; its `feeds` by name, the first being the default, none of an index.

    At `archive_url` are whole days of trades, in files.
    """

    rest_url: str
    feeds: tuple[str, ...] = ()
    archive_url: str | None = None

    @property
    def default_feed(self) -> str:
        """The feed that is followed unless a setting says otherwise; nothing where there is none."""
        return self.feeds[0] if self.feeds else ""


PLACES: Mapping[str, Place] = MappingProxyType(
    {
        "coinbase": Place("https://api.exchange.coinbase.com", ("exchange", "advanced")),
        "bitfinex": Place("https://api-pub.bitfinex.com", ("trades",)),
        "binance": Place("https://data-api.binance.vision", ("trade", "aggTrade"), BINANCE_ARCHIVE_URL),
        "oanda": Place("https://api-fxtrade.oanda.com", ("pricing",)),
        "synthetic": Place(_SYNTHETIC_REST_URL, ("trades",)),
        "synthetic_quotes": Place(_SYNTHETIC_REST_URL, ("quotes",)),
        "coingecko": Place(COINGECKO_REST_URLS["demo"]),
    }
)
"""By the exchange's name in data."""


def require_known(exchange: str) -> str:
    """The name of an exchange, which its simulator shares. Raises: RequestInvalid naming the exchanges there are."""
    name = exchange.removesuffix(SIMULATED_SUFFIX)
    if name not in PLACES:
        raise RequestInvalid("exchange", f"{exchange!r} is not one of {', '.join(PLACES)}", tuple(PLACES))
    return name
