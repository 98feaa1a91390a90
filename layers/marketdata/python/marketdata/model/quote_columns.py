"""The quotes of one archive file as columns, one list a field: a year of EUR/USD is 35 million of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from marketdata.model.quote import Quote

_NANOSECONDS_A_MILLISECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class QuoteColumns:
    """Quotes in the exchange's order; all columns are of one length.

    `milliseconds` count from `start_ns` and never fall. A price is an integer / 10 ** `places`; sizes are in base
    currency, exact.
    """

    symbol: str
    start_ns: int
    places: int
    milliseconds: Sequence[int]
    bids: Sequence[int]
    asks: Sequence[int]
    bid_sizes: Sequence[Decimal]
    ask_sizes: Sequence[Decimal]

    def __len__(self) -> int:
        return len(self.milliseconds)

    def quotes(self) -> list[Quote]:
        """The same, one value a quote."""
        prices = {points: self.price(points) for points in {*self.bids, *self.asks}}
        rows = zip(self.milliseconds, self.bids, self.asks, self.bid_sizes, self.ask_sizes, strict=True)
        symbol, start_ns = self.symbol, self.start_ns
        return [
            Quote(symbol, start_ns + ms * _NANOSECONDS_A_MILLISECOND, prices[bid], prices[ask], bid_size, ask_size)
            for ms, bid, ask, bid_size, ask_size in rows
        ]

    def price(self, points: int) -> Decimal:
        """What an integer of `bids` or `asks` means."""
        return Decimal(points).scaleb(-self.places)
