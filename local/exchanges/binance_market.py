"""The market of the tape as Binance lists it: its own spelling, ids from 0 on, trades of one order as aggregates.

The same trades as the Coinbase simulator's, sold for USDT. Trades before `listed_at` do not exist here, so that
aggregates can be counted from the first one on.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from threading import Lock

import msgspec
from marketdata.model.trade import Trade

from local.exchanges.products import Product
from local.exchanges.tape import Tape

_HOUR = timedelta(hours=1)


class BinanceMarket:
    """What has been traded of every listed symbol; all that it holds is a function of the tape and `listed_at`."""

    def __init__(self, tape: Tape, listed_at: datetime) -> None:
        self.listed_at = listed_at
        self._tape = tape
        self.products: dict[str, Product] = {spelling(product): product for product in tape.products.values()}
        self._offsets = {symbol: tape.next_id(one.symbol, listed_at) for symbol, one in self.products.items()}
        self._aggregates: dict[str, list[Trade]] = {symbol: [] for symbol in self.products}
        self._aggregated: dict[str, datetime] = dict.fromkeys(self.products, listed_at)
        self._lock = Lock()

    def newest_id(self, symbol: str, time: datetime) -> int:
        """The id of the last trade before `time`; -1 if there is none yet."""
        return self.next_id(symbol, time) - 1

    def next_id(self, symbol: str, time: datetime) -> int:
        """The id of the first trade at or after `time`."""
        return max(0, self._tape.next_id(self.products[symbol].symbol, time) - self._offsets[symbol])

    def trades_by_id(self, symbol: str, first: int, end: int) -> list[Trade]:
        """The trades with `first` <= id < `end`, ordered by id."""
        offset = self._offsets[symbol]
        found = self._tape.trades_by_id(self.products[symbol].symbol, max(0, first) + offset, end + offset)
        return [msgspec.structs.replace(trade, symbol=symbol, id=trade.id - offset) for trade in found]

    def trades(self, symbol: str, start: datetime, end: datetime) -> list[Trade]:
        """The trades in `[start, end)`, ordered by id."""
        return self.trades_by_id(symbol, self.next_id(symbol, start), self.next_id(symbol, end))

    def aggregates(self, symbol: str, now: datetime) -> Sequence[Trade]:
        """Every aggregate before `now`, in the order of their numbers: the first has the number 0."""
        with self._lock:
            known = self._aggregates[symbol]
            while (since := self._aggregated[symbol]) < now - _HOUR:
                self._aggregated[symbol] = since + _HOUR
                known.extend(aggregated(self.trades(symbol, since, since + _HOUR)))
            return [*known, *aggregated(self.trades(symbol, since, now))]


class Aggregates:
    """The market for a stream that tells of aggregates only."""

    def __init__(self, market: BinanceMarket) -> None:
        self._market = market

    def newest_id(self, symbol: str, time: datetime) -> int:
        """The id of the last trade before `time`."""
        return self._market.newest_id(symbol, time)

    def trades_by_id(self, symbol: str, first: int, end: int) -> list[Trade]:
        """The trades with `first` <= id < `end`, those of one order and price as one."""
        return aggregated(self._market.trades_by_id(symbol, first, end))


def aggregated(trades: Sequence[Trade]) -> list[Trade]:
    """Trades that one taker's order made at one price and moment become one, of their sizes together."""
    runs = (list(run) for _, run in groupby(trades, key=lambda trade: (trade.time_ns, trade.price, trade.side)))
    return [
        msgspec.structs.replace(run[0], size=sum((one.size for one in run[1:]), run[0].size), count=len(run))
        for run in runs
    ]


def spelling(product: Product) -> str:
    """As Binance writes it; what Coinbase sells for dollars it sells for USDT."""
    return f"{product.base}{quote(product)}"


def quote(product: Product) -> str:
    """The currency that prices are in."""
    return "USDT" if product.quote == "USD" else product.quote
