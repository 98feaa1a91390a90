"""The candles of one price of one instrument while its quotes stream in: open ones as they grow, closed ones once.

None is above `live`: a stream of quotes is a sample. A closed bucket is `live` if the connection held from before its
opening to after its close. A quote that comes after its bucket was handed out is dropped and counted: the exchange's
own candle, which is fetched later and wins, has it.
"""

from collections.abc import Sequence
from dataclasses import replace

from marketdata.compute.bars import Change
from marketdata.compute.quote_bars import QuoteBars
from marketdata.model.candle import Candle, Source
from marketdata.model.quote import PriceSide, Quote
from marketdata.model.timeframe import M1
from marketdata.model.times import nanoseconds


class LiveQuoteBars:
    """Filed under `symbol`; fed with quotes, the exchange's time, and when the connection held."""

    def __init__(self, exchange: str, symbol: str, side: PriceSide) -> None:
        self.late = 0
        self._newest: Quote | None = None
        self._bars = QuoteBars(exchange, symbol, side)
        self._since_ns: int | None = None
        self._time_ns = 0
        self._settled_until_ns = 0
        self._grown = False
        self._closed: list[Candle] = []

    def add(self, quote: Quote) -> None:
        """Take one quote; the newest is repeated where another answer begins, and counts once."""
        if quote == self._newest:
            return
        self._newest = quote
        if quote.time_ns < self._settled_until_ns:
            self.late += 1
            return
        self._bars.add((quote,))
        self._grown = True
        self.pass_time(quote.time_ns)

    def pass_time(self, time_ns: int) -> None:
        """The exchange was alive at this time."""
        self._time_ns = max(self._time_ns, time_ns)
        if self._since_ns is None:
            self._since_ns = time_ns

    def disconnected(self) -> None:
        """Quotes may be missing from here on."""
        self._settle()
        self._since_ns = None

    def take(self) -> Sequence[Change]:
        """What changed since the last time, oldest first."""
        self._settle()
        closed, self._closed = self._closed, []
        changes = [Change(candle, closed=True, revised=False) for candle in closed]
        if self._grown:
            self._grown = False
            changes += [Change(one, closed=False, revised=False) for one in self._bars.candles((), Source.PARTIAL)]
        return changes

    def _settle(self) -> None:
        """Put closed buckets aside, each with what is known of it now."""
        done = self._bars.take(self._time_ns, Source.LIVE)
        for candle in done:
            whole = self._since_ns is not None and self._since_ns <= nanoseconds(candle.open_time)
            self._closed.append(candle if whole else replace(candle, source=Source.PARTIAL))
        if done:
            self._settled_until_ns = M1.floor_ns(self._time_ns)
