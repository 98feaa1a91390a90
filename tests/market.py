"""A small market that many tests trade on: two instruments, one day of August 2026, candles that are easy to read."""

from datetime import datetime, timedelta
from decimal import Decimal

from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.timeframe import M1, Timeframe
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Side, Trade
from marketdata.store.memory import MemoryStore

BTC = Instrument("coinbase", "BTC-USD", "BTC", "USD")
ETH = Instrument("coinbase-simulated", "ETH-USD", "ETH", "USD", simulated=True)
MINUTE = timedelta(minutes=1)


def at(clock: str) -> datetime:
    """`10:00` or `10:00:30.5` on the day."""
    return datetime.fromisoformat(f"2026-08-09T{clock if clock.count(':') == 2 else clock + ':00'}+00:00")


def a_store() -> MemoryStore:
    """A store that follows both instruments and holds nothing."""
    store = MemoryStore()
    store.put_instruments([BTC, ETH])
    return store


def candle(
    open_time: datetime,
    instrument: Instrument = BTC,
    timeframe: Timeframe = M1,
    source: Source = Source.PROVEN,
    price: str = "100.50",
) -> Candle:
    """A candle of one trade."""
    one = Decimal(price)
    return Candle(
        exchange=instrument.exchange,
        symbol=instrument.symbol,
        timeframe=timeframe,
        open_time=open_time,
        open=one,
        high=one,
        low=one,
        close=one,
        volume=Decimal("0.10"),
        quote_volume=one * Decimal("0.10"),
        trades=1,
        taker_buy_volume=Decimal(0),
        first_id=1,
        last_id=1,
        source=source,
    )


def minutes(start: str, end: str, instrument: Instrument = BTC, source: Source = Source.PROVEN) -> list[Candle]:
    """A candle of every minute that opens in `[start, end)`."""
    count = (at(end) - at(start)) // MINUTE
    return [candle(at(start) + place * MINUTE, instrument, source=source) for place in range(count)]


def trade(trade_id: int, clock: str, price: str = "100", size: str = "1", instrument: Instrument = BTC) -> Trade:
    """A trade; the taker bought."""
    return Trade(instrument.symbol, trade_id, nanoseconds(at(clock)), Decimal(price), Decimal(size), Side.BUY)
