"""Which adapters exist, by the exchange's name in data. Adding an exchange adds a row here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from marketdata.errors import RequestInvalid
from marketdata.exchanges.coinbase import CoinbaseAdvanced, CoinbaseExchange, CoinbaseRecording
from marketdata.exchanges.exchange import FrameDecoder, LiveTrades

SIMULATED_SUFFIX = "-simulated"
"""An exchange of this ending is the built-in simulator of the one before it; its data is never mixed with real data."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """How one exchange is read: `feeds` by name (the first is the default), and `recording` for captured frames."""

    feeds: Mapping[str, Callable[[str, str], LiveTrades]]
    urls: Mapping[str, str]
    recording: Callable[[str], FrameDecoder]


ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {
        "coinbase": Adapter(
            feeds={"exchange": CoinbaseExchange, "advanced": CoinbaseAdvanced},
            urls={
                "exchange": "wss://ws-feed.exchange.coinbase.com",
                "advanced": "wss://advanced-trade-ws.coinbase.com",
            },
            recording=CoinbaseRecording,
        )
    }
)


def adapter_for(exchange: str) -> Adapter:
    """The adapter of an exchange or of its simulator. Raises: RequestInvalid naming the exchanges there are."""
    adapter = ADAPTERS.get(exchange.removesuffix(SIMULATED_SUFFIX))
    if adapter is None:
        raise RequestInvalid("exchange", f"{exchange!r} is not one of {', '.join(ADAPTERS)}", tuple(ADAPTERS))
    return adapter


def live_trades(exchange: str, feed: str, url: str | None = None) -> LiveTrades:
    """The live stream of an exchange. Raises: RequestInvalid naming the feeds there are."""
    adapter = adapter_for(exchange)
    if feed not in adapter.feeds:
        choices = tuple(adapter.feeds)
        raise RequestInvalid("feed", f"{exchange} has no feed {feed!r}; it has {', '.join(choices)}", choices)
    return adapter.feeds[feed](url or adapter.urls[feed], exchange)
