"""Candles of a stream of quotes: of every symbol, in one or more prices, none of them above `live`.

A stream of quotes proves nothing: it is a sample, and nothing shows that none was lost. A candle is `live` if the
connection held from before its opening to after its close, else `partial`; the exchange's own candle wins over both.
"""

from collections.abc import Sequence

from marketdata.compute.coverage import union
from marketdata.compute.quote_bars import QuoteBars
from marketdata.model.candle import Candle, Source
from marketdata.model.events import Heartbeat
from marketdata.model.quote import PriceSide, Quote, sided
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, Timeframe
from marketdata.model.times import utc


class SampledBars:
    """The candles of one connection after another. `usual` is the price that the plain symbol stands for."""

    def __init__(self, exchange: str, sides: Sequence[PriceSide], usual: PriceSide, timeframe: Timeframe = M1) -> None:
        self._exchange = exchange
        self._sides = tuple(sides)
        self._usual = usual
        self._timeframe = timeframe
        self._bars: dict[str, QuoteBars] = {}
        self._unbroken: list[Span] = []
        self._since_ns: int | None = None
        self._time_ns = 0

    def add(self, quote: Quote) -> None:
        """Take one quote."""
        self._pass(quote.time_ns)
        for side in self._sides:
            symbol = sided(quote.symbol, side, self._usual)
            if symbol not in self._bars:
                self._bars[symbol] = QuoteBars(self._exchange, symbol, side, self._timeframe)
            self._bars[symbol].add((quote,))

    def heartbeat(self, heartbeat: Heartbeat) -> None:
        """The exchange is alive at this time."""
        self._pass(heartbeat.time_ns)

    def disconnected(self) -> None:
        """Quotes may be missing from here on."""
        self._unbroken = list(union(self._unbroken, self._running()))
        self._since_ns = None

    def candles(self) -> list[Candle]:
        """Every candle, by symbol and open time."""
        whole = union(self._unbroken, self._running())
        return [one for symbol in sorted(self._bars) for one in self._bars[symbol].candles(whole, Source.LIVE)]

    def _pass(self, time_ns: int) -> None:
        self._time_ns = max(self._time_ns, time_ns)
        if self._since_ns is None:
            self._since_ns = time_ns

    def _running(self) -> list[Span]:
        if self._since_ns is None or utc(self._since_ns) >= utc(self._time_ns):
            return []
        return [Span(utc(self._since_ns), utc(self._time_ns))]
