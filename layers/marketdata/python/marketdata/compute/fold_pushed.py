"""Pushed trades to candles that vouch for nothing: nobody can say that none is missing. Pure.

The database folds those of markets that are only pushed by the same rule: fold_ticks_v1 in migrations/.
"""

from collections.abc import Iterable
from dataclasses import replace

from marketdata.compute.bucket import Bucket
from marketdata.model.candle import Candle
from marketdata.model.instrument import Instrument
from marketdata.model.timeframe import M1
from marketdata.model.trade import Side, Trade


def fold_pushed(instrument: Instrument, trades: Iterable[Trade]) -> list[Candle]:
    """The minutes of these trades, each given once, oldest first: `partial`.

    Where the taker of one trade is unknown, so is what takers bought.
    """
    buckets: dict[int, Bucket] = {}
    untold = set()
    for trade in trades:
        start_ns = M1.floor_ns(trade.time_ns)
        if start_ns not in buckets:
            buckets[start_ns] = Bucket.opened_by(trade, start_ns, start_ns + M1.duration_ns)
        buckets[start_ns].join(trade)
        if trade.side is Side.UNKNOWN:
            untold.add(start_ns)
    made = {start_ns: buckets[start_ns].candle(*instrument.key, M1) for start_ns in sorted(buckets)}
    return [replace(one, taker_buy_volume=None) if at in untold else one for at, one in made.items()]
