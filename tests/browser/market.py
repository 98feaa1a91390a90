"""An invented market, the same every time but for its clock: what the page is shown in tests."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.memory import MemoryStore

SIMULATED = Instrument("coinbase-simulated", "BTC-USD", "BTC", "USD", simulated=True)
SECOND = Instrument("coinbase-simulated", "ETH-USD", "ETH", "USD", simulated=True)
REAL = Instrument("kraken", "DOGE-EUR", "DOGE", "EUR", timeframes=(M1,))
YOUNG = Instrument("kraken", "SOL-EUR", "SOL", "EUR", timeframes=(M1,))

MINUTE = timedelta(minutes=1)
CENT = Decimal("0.01")
HOLE = (40, 63)
"""The 23 minutes before the open one, counted backwards, that are missing."""
EMPTY = (80, 83)
"""Three minutes in which nothing was traded, and the store knows it."""


def stocked(open_time: datetime) -> MemoryStore:
    """A store with 25 hours of one market and an hour of two more, up to the minute at `open_time`, still open.

    Of YOUNG there is that minute alone.
    """
    store = MemoryStore()
    store.put_instruments([SIMULATED, SECOND, REAL, YOUNG])
    store.put_candles(_with_holes(walk(SIMULATED, open_time, 1_500, Decimal("64180.20"))))
    store.put_candles(walk(SECOND, open_time, 60, Decimal("3120.55")))
    store.put_candles(walk(REAL, open_time, 60, Decimal("0.13")))
    store.put_candles([first_of(YOUNG, open_time, "131.20")])
    empty = Span(open_time - EMPTY[1] * MINUTE, open_time - EMPTY[0] * MINUTE)
    store.mark_empty(SIMULATED, M1, [empty])
    while store.roll_up():
        pass
    return store


def walk(instrument: Instrument, open_time: datetime, minutes: int, price: Decimal) -> list[Candle]:
    """A seeded random walk of `minutes` candles, oldest first; the last one opens at `open_time`."""
    seed = random.Random(instrument.symbol)
    candles = []
    liveliness = 1.0
    for ago in range(minutes - 1, -1, -1):
        liveliness = min(3.0, max(0.4, liveliness * seed.uniform(0.85, 1.18)))
        path = [price]
        for _ in range(5):
            step = Decimal(round(seed.gauss(0, 0.00035 * liveliness), 8))
            path.append((path[-1] * (1 + step)).quantize(CENT / 1000 if price < 1 else CENT))
        price = path[-1]
        source = Source.PARTIAL if ago in (0, 30, 31) else Source.LIVE if ago < 3 else Source.PROVEN
        candles.append(_candle(instrument, open_time - ago * MINUTE, path, source, seed.uniform(0.5, 6) * liveliness))
    return candles


def moved(candle: Candle, price: str, *, source: Source | None = None) -> Candle:
    """The same bucket after one more trade at `price`."""
    path = [candle.open, candle.high, candle.low, Decimal(price)]
    trades = (candle.trades or 0) + 1
    instrument = Instrument(candle.exchange, candle.symbol, "", "")
    grown = _candle(instrument, candle.open_time, path, source or candle.source, float(candle.volume) + 0.1)
    return _with_trades(grown, trades)


def first_of(instrument: Instrument, open_time: datetime, price: str) -> Candle:
    """A minute that has had one trade."""
    return _with_trades(_candle(instrument, open_time, [Decimal(price)], Source.PARTIAL, 0.1), 1)


def _with_holes(candles: Sequence[Candle]) -> list[Candle]:
    count = len(candles)
    ago = {id(candle): count - 1 - index for index, candle in enumerate(candles)}
    return [candle for candle in candles if not any(start <= ago[id(candle)] - 1 < end for start, end in (HOLE, EMPTY))]


def _candle(
    instrument: Instrument, open_time: datetime, path: Sequence[Decimal], source: Source, volume: float
) -> Candle:
    amount = Decimal(f"{volume:.8f}")
    return Candle(
        exchange=instrument.exchange,
        symbol=instrument.symbol,
        timeframe=M1,
        open_time=open_time,
        open=path[0],
        high=max(path),
        low=min(path),
        close=path[-1],
        volume=amount,
        quote_volume=amount * path[0],
        trades=int(volume * 20),
        taker_buy_volume=None,
        first_id=None,
        last_id=None,
        source=source,
    )


def _with_trades(candle: Candle, trades: int) -> Candle:
    return replace(candle, trades=trades)
