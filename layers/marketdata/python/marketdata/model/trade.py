"""One trade, as the exchange reported it."""

from decimal import Decimal
from enum import StrEnum

import msgspec


class Side(StrEnum):
    """The side of the taker (the aggressor): BUY lifts an offer, SELL hits a bid.

    UNKNOWN is of ticks that somebody pushed without saying; exchanges always say.
    """

    BUY = "buy"
    SELL = "sell"
    UNKNOWN = "unknown"


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One trade, or an aggregate of the `count` trades with the ids from `id` to `last_id`.

    A msgspec Struct rather than a dataclass because one is made for every trade: 0.15 us against 1.2 us.
    `id` is the exchange's; `time_ns` is the exchange's trade time in nanoseconds since the epoch; `price` in quote
    currency and `size` in base currency are exact decimals from the exchange's own text, both above zero.
    """

    symbol: str
    id: int
    time_ns: int
    price: Decimal
    size: Decimal
    side: Side
    count: int = 1

    @property
    def last_id(self) -> int:
        """The highest of its ids."""
        return self.id + self.count - 1
