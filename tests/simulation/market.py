"""The market of a simulation: a seeded tape of a few products of different rhythm, with ids that never existed."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Trade

from local.exchanges.products import Product
from local.exchanges.tape import Bar, Tape

EXCHANGE = "coinbase-simulated"
PRODUCTS: tuple[Product, ...] = (
    Product("BTC", "USD", Decimal(65_000), 2, Decimal("0.02"), trades_a_minute=5),
    Product("SOL", "USD", Decimal(150), 2, Decimal(6), trades_a_minute=2, quiet=0.08, volatility=1.6),
    Product("ETH", "BTC", Decimal("0.05"), 5, Decimal("0.2"), trades_a_minute=1, quiet=0.98, volatility=0.8),
)
"""One that always trades, one with minutes without trades, and one that trades once in most of an hour."""

PAST = timedelta(hours=6)
"""So long before the start the exchange opened."""
BURST_TIMES = 20
_MINUTE = timedelta(minutes=1)


def instruments() -> list[Instrument]:
    """The products as the engine follows them."""
    return [Instrument(EXCHANGE, one.symbol, one.base, one.quote, simulated=True) for one in PRODUCTS]


class SimulatedMarket:
    """Every trade from `PAST` before `start` until `end`, drawn once; see Market for what the exchange asks of it.

    In the minutes of `bursts` everything trades twenty times as much. `skips` in ten thousand trades are followed by a
    few ids that no trade ever has. `busier` multiplies the trades of a minute.
    """

    def __init__(self, seed: int, span: Span, *, bursts: Sequence[Span] = (), skips: int = 0, busier: int = 1) -> None:
        self.products: Mapping[str, Product] = {product.symbol: _busier(product, busier) for product in PRODUCTS}
        self._trades = {symbol: self._draw(seed, symbol, span, bursts, skips) for symbol in self.products}
        self._ids = {symbol: [trade.id for trade in trades] for symbol, trades in self._trades.items()}
        self._times = {symbol: [trade.time_ns for trade in trades] for symbol, trades in self._trades.items()}

    def trades(self, symbol: str, span: Span) -> list[Trade]:
        """What was traded in `span`, by id."""
        return self._trades[symbol][self._at(symbol, span.start) : self._at(symbol, span.end)]

    def trades_by_id(self, symbol: str, first: int, end: int) -> list[Trade]:
        """See Market."""
        ids = self._ids[symbol]
        return self._trades[symbol][bisect_left(ids, first) : bisect_left(ids, end)]

    def newest_id(self, symbol: str, time: datetime) -> int:
        """See Market."""
        at = self._at(symbol, time)
        return self._ids[symbol][at - 1] if at else 0

    def next_id(self, symbol: str, time: datetime) -> int:
        """See Market."""
        return self.newest_id(symbol, time) + 1

    def next_time(self, symbol: str, time: datetime) -> int | None:
        """When the first trade at or after `time` happens, in nanoseconds; None if there is no more."""
        at = self._at(symbol, time)
        return self._times[symbol][at] if at < len(self._times[symbol]) else None

    def bar(self, symbol: str, span: Span) -> Bar | None:
        """See Market."""
        trades = self.trades(symbol, span)
        if not trades:
            return None
        prices = [trade.price for trade in trades]
        volume = sum((trade.size for trade in trades), Decimal(0))
        return Bar(prices[0], max(prices), min(prices), prices[-1], volume)

    def _at(self, symbol: str, time: datetime) -> int:
        return bisect_left(self._times[symbol], nanoseconds(time))

    def _draw(self, seed: int, symbol: str, span: Span, bursts: Sequence[Span], skips: int) -> list[Trade]:
        product, luck = self.products[symbol], Random(f"{seed}/skips/{symbol}")
        usual, busy = Tape(seed, [product]), Tape(seed, [replace(_busier(product, BURST_TIMES), quiet=0.0)])
        trades: list[Trade] = []
        number = 1
        for minute in _minutes(Span(span.start - PAST, span.end)):
            tape = busy if any(minute.start in burst for burst in bursts) else usual
            for drawn in tape.trades(symbol, minute):
                trades.append(Trade(symbol, number, drawn.time_ns, drawn.price, drawn.size, drawn.side))
                number += luck.randint(2, 4) if luck.randrange(10_000) < skips else 1
        return trades


def _busier(product: Product, times: int) -> Product:
    return replace(product, trades_a_minute=product.trades_a_minute * times)


def _minutes(span: Span) -> list[Span]:
    count = (span.end - span.start) // _MINUTE
    return [Span(span.start + _MINUTE * index, span.start + _MINUTE * (index + 1)) for index in range(count)]
