"""Candles from quotes: of the bid, the ask or the middle between them, by the exchange's time.

Nobody traded: `trades` counts quotes and `volume` is the sum of the sizes quoted on that side (of both, for the
middle), or the number of quotes where an exchange gives no sizes; quote volume, taker's volume and ids are None. Quotes
that share a time keep the exchange's order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from marketdata.compute.coverage import Spans, contains
from marketdata.model.candle import Candle, Source
from marketdata.model.quote import PriceSide, Quote
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, Timeframe
from marketdata.model.times import utc

_ZERO, _ONE = Decimal(0), Decimal(1)
_HALF = Decimal("0.5")


@dataclass(slots=True)
class _Bucket:
    first_ns: int
    last_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = _ZERO
    quotes: int = 0


class QuoteBars:
    """The candles of one price of one instrument, filed under `symbol`; every bucket is kept."""

    def __init__(self, exchange: str, symbol: str, side: PriceSide, timeframe: Timeframe = M1) -> None:
        self._exchange = exchange
        self._symbol = symbol
        self._side = side
        self._timeframe = timeframe
        self._buckets: dict[int, _Bucket] = {}

    def add(self, quotes: Iterable[Quote]) -> None:
        """Take quotes in the exchange's order; one that is older than those before it finds its bucket all the same."""
        start_ns = end_ns = 0
        bucket: _Bucket | None = None
        for quote in quotes:
            time_ns = quote.time_ns
            price, size = self._price_and_size(quote)
            if bucket is None or not start_ns <= time_ns < end_ns:
                start_ns = self._timeframe.floor_ns(time_ns)
                end_ns = start_ns + self._timeframe.duration_ns
                bucket = self._buckets.get(start_ns)
                if bucket is None:
                    bucket = self._buckets[start_ns] = _Bucket(time_ns, time_ns, price, price, price, price)
            _take(bucket, time_ns, price, size)

    def candles(self, whole: Spans, source: Source) -> list[Candle]:
        """Every candle, oldest first: of that source where its bucket lies inside `whole`, elsewhere `partial`."""
        return [self._candle(start_ns, self._buckets[start_ns], whole, source) for start_ns in sorted(self._buckets)]

    def take(self, before_ns: int, source: Source) -> list[Candle]:
        """The candles of buckets that end at or before `before_ns`, oldest first; they are forgotten."""
        length = self._timeframe.duration_ns
        done = sorted(start_ns for start_ns in self._buckets if start_ns + length <= before_ns)
        everything = (Span(utc(done[0]), utc(done[-1] + length)),) if done else ()
        return [self._candle(start_ns, self._buckets.pop(start_ns), everything, source) for start_ns in done]

    def _price_and_size(self, quote: Quote) -> tuple[Decimal, Decimal]:
        if self._side is PriceSide.BID:
            return quote.bid, _ONE if quote.bid_size is None else quote.bid_size
        if self._side is PriceSide.ASK:
            return quote.ask, _ONE if quote.ask_size is None else quote.ask_size
        size = _ONE if quote.bid_size is None or quote.ask_size is None else quote.bid_size + quote.ask_size
        return (quote.bid + quote.ask) * _HALF, size

    def _candle(self, start_ns: int, bucket: _Bucket, whole: Spans, source: Source) -> Candle:
        opens = utc(start_ns)
        known = contains(whole, Span(opens, opens + self._timeframe.duration))
        return Candle(
            exchange=self._exchange,
            symbol=self._symbol,
            timeframe=self._timeframe,
            open_time=opens,
            open=bucket.open,
            high=bucket.high,
            low=bucket.low,
            close=bucket.close,
            volume=bucket.volume,
            quote_volume=None,
            trades=bucket.quotes,
            taker_buy_volume=None,
            first_id=None,
            last_id=None,
            source=source if known else Source.PARTIAL,
        )


def _take(bucket: _Bucket, time_ns: int, price: Decimal, size: Decimal) -> None:
    if time_ns < bucket.first_ns:
        bucket.first_ns, bucket.open = time_ns, price
    if time_ns >= bucket.last_ns:
        bucket.last_ns, bucket.close = time_ns, price
    if price > bucket.high:
        bucket.high = price
    elif price < bucket.low:
        bucket.low = price
    bucket.volume += size
    bucket.quotes += 1
