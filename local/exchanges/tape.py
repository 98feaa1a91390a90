"""A market that exists for all time: the trades of a product in any span are a pure function of (seed, product, span).

So a restart continues the same history, and the past can be served without having been lived through. Trade ids are
contiguous per product. How many trades each minute of a day has is one table per product, the same every day; only the
prices, sizes and times differ. That makes id <-> minute a division and a look-up.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from random import Random
from typing import Protocol

from marketdata.model.span import Span
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Trade

from local.exchanges.minute import MINUTE_NS, Sketch, draw, sketch
from local.exchanges.products import PRODUCTS, SIZE_DECIMALS, Product

OPENING = datetime(2020, 1, 1, tzinfo=UTC)
"""When the simulated exchange opened; trade 1 of every product is of this day."""

_MINUTES_A_DAY = 1440
_OPENING_NS = nanoseconds(OPENING)
# A drawn minute of the busiest product takes about 0.2 MB.
_MINUTES_KEPT_MAX = 64


@dataclass(frozen=True, slots=True)
class Bar:
    """The trades of one span, folded. Prices in quote currency, `volume` in base currency."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class Market(Protocol):
    """What an exchange's streams and REST tell of: listed products and their trades, by id and by time."""

    @property
    def products(self) -> Mapping[str, Product]:
        """Everything listed, by symbol."""
        ...

    def trades_by_id(self, symbol: str, first: int, end: int) -> list[Trade]:
        """The trades with `first` <= id < `end`, ordered by id."""
        ...

    def newest_id(self, symbol: str, time: datetime) -> int:
        """The id of the last trade before `time`; 0 if there is none yet."""
        ...

    def next_id(self, symbol: str, time: datetime) -> int:
        """The id that ends the trades before `time`."""
        ...

    def bar(self, symbol: str, span: Span) -> Bar | None:
        """The trades of `span`, folded; None if there are none."""
        ...


class Tape:
    """Every trade of every product that one seed stands for, from OPENING on."""

    def __init__(self, seed: int, products: Sequence[Product] = PRODUCTS) -> None:
        self.seed = seed
        self.products = {product.symbol: product for product in products}
        self._rhythms = {product.symbol: _Rhythm(seed, product) for product in products}
        self._minute = lru_cache(maxsize=_MINUTES_KEPT_MAX)(self._draw)

    def trades(self, symbol: str, span: Span) -> list[Trade]:
        """The trades inside `span`, ordered by id. KeyError for a product that is not listed."""
        return self.trades_by_id(symbol, self.next_id(symbol, span.start), self.next_id(symbol, span.end))

    def trades_by_id(self, symbol: str, first: int, end: int) -> list[Trade]:
        """The trades with `first` <= id < `end`, ordered by id."""
        rhythm = self._rhythms[symbol]
        trades: list[Trade] = []
        next_id = max(first, 1)
        while next_id < end:
            minute = rhythm.minute_of(next_id)
            start = rhythm.first_id(minute)
            trades.extend(self._minute(symbol, minute)[next_id - start : end - start])
            next_id = rhythm.first_id(minute + 1)
        return trades

    def newest_id(self, symbol: str, time: datetime) -> int:
        """The id of the last trade before `time`; 0 if there is none yet."""
        return self.next_id(symbol, time) - 1

    def next_id(self, symbol: str, time: datetime) -> int:
        """The id of the first trade at or after `time`."""
        minute, inside_ns = divmod(nanoseconds(time) - _OPENING_NS, MINUTE_NS)
        first = self._rhythms[symbol].first_id(minute)
        if inside_ns == 0 or minute < 0:
            return first
        trades = self._minute(symbol, minute)
        return first + bisect_left(trades, nanoseconds(time), key=lambda trade: trade.time_ns)

    def bar(self, symbol: str, span: Span) -> Bar | None:
        """What folding `trades(symbol, span)` gives, without drawing the trades of whole minutes; None if empty."""
        product = self.products[symbol]
        outlines = list(self._outlines(symbol, span))
        if not outlines:
            return None
        places = product.quote_decimals
        return Bar(
            Decimal(outlines[0].open).scaleb(-places),
            Decimal(max(outline.high for outline in outlines)).scaleb(-places),
            Decimal(min(outline.low for outline in outlines)).scaleb(-places),
            Decimal(outlines[-1].close).scaleb(-places),
            Decimal(sum(outline.volume for outline in outlines)).scaleb(-SIZE_DECIMALS),
        )

    def _outlines(self, symbol: str, span: Span) -> Iterable[Sketch]:
        """The sketches of the minutes in `span` that have trades; a minute cut by its edges is folded from trades."""
        start_ns, end_ns = (max(0, nanoseconds(time) - _OPENING_NS) for time in (span.start, span.end))
        for minute in range(start_ns // MINUTE_NS, -(-end_ns // MINUTE_NS)):
            minute_ns = minute * MINUTE_NS
            if start_ns <= minute_ns and minute_ns + MINUTE_NS <= end_ns:
                outline = self._outline(symbol, minute)
            else:
                outline = self._cut_outline(symbol, minute, start_ns + _OPENING_NS, end_ns + _OPENING_NS)
            if outline is not None:
                yield outline

    def _outline(self, symbol: str, minute: int) -> Sketch | None:
        rhythm = self._rhythms[symbol]
        count = rhythm.count(minute)
        return sketch(self.products[symbol], rhythm.key, minute, count) if count else None

    def _cut_outline(self, symbol: str, minute: int, start_ns: int, end_ns: int) -> Sketch | None:
        trades = [trade for trade in self._minute(symbol, minute) if start_ns <= trade.time_ns < end_ns]
        if not trades:
            return None
        places = self.products[symbol].quote_decimals
        prices = [int(trade.price.scaleb(places)) for trade in trades]
        volume = sum(int(trade.size.scaleb(SIZE_DECIMALS)) for trade in trades)
        return Sketch(len(trades), prices[0], max(prices), min(prices), prices[-1], volume)

    def _draw(self, symbol: str, minute: int) -> tuple[Trade, ...]:
        outline = self._outline(symbol, minute)
        if outline is None:
            return ()
        rhythm = self._rhythms[symbol]
        start_ns = _OPENING_NS + minute * MINUTE_NS
        first_id = rhythm.first_id(minute)
        return draw(self.products[symbol], rhythm.key, minute, outline, first_id=first_id, start_ns=start_ns)


class _Rhythm:
    """How many trades each minute of one product has, and so which ids; minutes are counted from OPENING."""

    def __init__(self, seed: int, product: Product) -> None:
        self.key = int.from_bytes(blake2b(f"{seed}/{product.symbol}".encode(), digest_size=8).digest())
        counts = _counts(Random(self.key), product)
        # before[m] trades happen on a day before its minute m.
        self._before = [0, *accumulate(counts)]
        self._a_day = self._before[-1]

    def count(self, minute: int) -> int:
        """How many trades `minute` has; none before OPENING."""
        return self.first_id(minute + 1) - self.first_id(minute)

    def first_id(self, minute: int) -> int:
        """The id of the first trade at or after the start of `minute`."""
        day, minute_of_day = divmod(max(0, minute), _MINUTES_A_DAY)
        return 1 + day * self._a_day + self._before[minute_of_day]

    def minute_of(self, trade_id: int) -> int:
        """The minute that holds a trade."""
        day, rest = divmod(trade_id - 1, self._a_day)
        return day * _MINUTES_A_DAY + bisect_right(self._before, rest) - 1


def _counts(random: Random, product: Product) -> list[int]:
    """One day's table: quiet minutes, ordinary ones, and one in fifty that is three times as busy."""
    counts = [_count(random, product) for _ in range(_MINUTES_A_DAY)]
    # A product that never trades would have no ids to count.
    counts[0] = max(1, counts[0])
    return counts


def _count(random: Random, product: Product) -> int:
    if random.random() < product.quiet:
        return 0
    burst = 3.0 if random.random() < 0.02 else 1.0
    return max(1, round(product.trades_a_minute * burst * (0.4 + 1.2 * random.random())))
