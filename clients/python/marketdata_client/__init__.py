"""Unbroken, proven candles from a Market Data Engine.

    from marketdata_client import MarketDataClient

    with MarketDataClient() as client:
        candles = client.get_candles("coinbase", "BTC-USD", "1m", start, end)
        print(candles.condition, candles.gaps, candles.to_pandas())

`AsyncMarketDataClient` has the same methods to await.
"""

from marketdata_client.alerts import Alert
from marketdata_client.asynchronous import AsyncMarketDataClient
from marketdata_client.candles import Candle, Candles, Gap
from marketdata_client.errors import (
    Ambiguous,
    ApiError,
    ConnectionFailed,
    DataWarning,
    KeyReused,
    MarketDataClientError,
    NotFound,
    RequestInvalid,
    Throttled,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from marketdata_client.live import Notice, Reset, Revise
from marketdata_client.synchronous import MarketDataClient

__all__ = [
    "Alert",
    "Ambiguous",
    "ApiError",
    "AsyncMarketDataClient",
    "Candle",
    "Candles",
    "ConnectionFailed",
    "DataWarning",
    "Gap",
    "KeyReused",
    "MarketDataClient",
    "MarketDataClientError",
    "NotFound",
    "Notice",
    "RequestInvalid",
    "Reset",
    "Revise",
    "Throttled",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
]
