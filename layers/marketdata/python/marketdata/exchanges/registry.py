"""Which adapters exist, by the exchange's name in data. Adding an exchange adds a row here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from marketdata.errors import RequestInvalid
from marketdata.exchanges.coinbase import CoinbaseAdvanced, CoinbaseExchange, CoinbaseRecording, CoinbaseRest
from marketdata.exchanges.exchange import CandleHistory, FrameDecoder, LiveTrades, TradeHistory
from marketdata.exchanges.oanda import OandaPricing, OandaRecording, OandaRest
from marketdata.model.quote import PriceSide

SIMULATED_SUFFIX = "-simulated"
"""An exchange of this ending is the built-in simulator of the one before it; its data is never mixed with real data."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """How one exchange is read: live `feeds` by name, made of (url, name), and `recording` for captured frames."""

    feeds: Mapping[str, Callable[..., LiveTrades]]
    recording: Callable[[str], FrameDecoder]
    trade_history: Callable[[str], TradeHistory] | None = None
    candle_history: Callable[[str], CandleHistory] | None = None
    requests_per_second: float = 1.0
    requests_burst: int = 1
    """REST limits, well below the exchange's own: others may share our address."""
    usual_side: PriceSide | None = None
    """Where quotes stream instead of trades: the price of candles that are asked for by the plain symbol."""


ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {
        "coinbase": Adapter(
            feeds={"exchange": CoinbaseExchange, "advanced": CoinbaseAdvanced},
            recording=CoinbaseRecording,
            trade_history=CoinbaseRest,
            candle_history=CoinbaseRest,
            requests_per_second=5.0,
            requests_burst=10,
        ),
        "oanda": Adapter(
            feeds={"pricing": OandaPricing},
            recording=OandaRecording,
            candle_history=OandaRest,
            requests_per_second=20.0,
            requests_burst=20,
            usual_side=PriceSide.MID,
        ),
    }
)


def adapter_for(exchange: str) -> Adapter:
    """The adapter of an exchange or of its simulator. Raises: RequestInvalid naming the exchanges there are."""
    adapter = ADAPTERS.get(exchange.removesuffix(SIMULATED_SUFFIX))
    if adapter is None:
        raise RequestInvalid("exchange", f"{exchange!r} is not one of {', '.join(ADAPTERS)}", tuple(ADAPTERS))
    return adapter


def live_trades(exchange: str, feed: str, url: str | None = None) -> LiveTrades:
    """The live stream of an exchange, at `url` or its public address. Raises: RequestInvalid listing the feeds."""
    adapter = adapter_for(exchange)
    if feed not in adapter.feeds:
        choices = tuple(adapter.feeds)
        raise RequestInvalid("feed", f"{exchange} has no feed {feed!r}; it has {', '.join(choices)}", choices)
    make = adapter.feeds[feed]
    return make(name=exchange) if url is None else make(url, exchange)
