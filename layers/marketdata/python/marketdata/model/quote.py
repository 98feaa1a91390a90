"""One quote: what somebody was ready to pay and to take, as the exchange reported it."""

from decimal import Decimal
from enum import StrEnum

import msgspec


class PriceSide(StrEnum):
    """Which price of a quoted market a candle is made of. See docs/data-semantics.md, "Quoted markets"."""

    BID = "bid"
    ASK = "ask"
    MID = "mid"


class Quote(msgspec.Struct, frozen=True, gc=False):
    """The best bid and ask of one moment; nobody traded.

    `time_ns` is the exchange's time in nanoseconds since the epoch. Prices are exact, in quote currency, above zero; a
    bid above its ask is possible, and kept. Sizes are in base currency, None where the exchange does not say.
    """

    symbol: str
    time_ns: int
    bid: Decimal
    ask: Decimal
    bid_size: Decimal | None = None
    ask_size: Decimal | None = None


def sided(symbol: str, side: PriceSide, usual: PriceSide) -> str:
    """The instrument of one price: the plain symbol for the exchange's usual price, else `EURUSD:ask`."""
    return symbol if side is usual else f"{symbol}:{side}"


def side_of(symbol: str, usual: PriceSide) -> tuple[str, PriceSide]:
    """The plain symbol, and which price an instrument of that name is made of."""
    plain, _, label = symbol.partition(":")
    return (plain, PriceSide(label)) if label in set(PriceSide) else (symbol, usual)
