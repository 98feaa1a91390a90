"""A candle as its exchange tells it, checked once for all of them. Called by the adapters that have candles."""

from datetime import datetime
from decimal import Decimal

from marketdata.exchanges.wire import check_candle
from marketdata.model.candle import Candle, Source
from marketdata.model.timeframe import Timeframe
from marketdata.model.times import NANOSECONDS_A_SECOND, utc

Prices = tuple[Decimal, Decimal, Decimal, Decimal]
"""Open, high, low, close."""


def venue_candle(
    exchange: str,
    symbol: str,
    timeframe: Timeframe,
    *,
    open_ns: int,
    prices: Prices,
    volume: Decimal,
    observed_at: datetime,
    quote_volume: Decimal | None = None,
    trades: int | None = None,
    taker_buy_volume: Decimal | None = None,
    complete: bool = True,
) -> Candle:
    """An exchange's own candle; what it does not give is None, and ids no exchange gives.

    Raises: ValueError where no market can have made it, or where no bucket opens; OverflowError for no time at all.
    """
    open_, high, low, close = prices
    for one in (volume, quote_volume, taker_buy_volume):
        if one is not None:
            check_candle(open_, high, low, close, one)
    if timeframe.floor_ns(open_ns) != open_ns:
        raise ValueError(f"no {timeframe} candle of UTC opens at {open_ns / NANOSECONDS_A_SECOND} s")
    return Candle(
        exchange=exchange,
        symbol=symbol,
        timeframe=timeframe,
        open_time=utc(open_ns),
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=volume,
        quote_volume=quote_volume,
        trades=trades,
        taker_buy_volume=taker_buy_volume,
        first_id=None,
        last_id=None,
        source=Source.VENUE if complete else Source.PARTIAL,
        observed_at=observed_at,
    )
