"""A candle, and how far it can be trusted."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import IntEnum

from marketdata.model.timeframe import Timeframe
from marketdata.model.times import EPOCH

_VWAP_PLACES = Decimal(1).scaleb(-18)
_VWAP = Context(prec=60, rounding=ROUND_HALF_EVEN)


class Source(IntEnum):
    """Provenance rank, low to high; a row never replaces one of a higher rank. See docs/data-semantics.md."""

    PARTIAL = 1
    """Seen in part, or loss is possible."""
    LIVE = 2
    """Closed, and the connection never broke, but the exchange's ids prove nothing."""
    VENUE = 3
    """The exchange's own candle, fetched after close plus grace."""
    PROVEN = 4
    """Built from a run of trade ids that is contiguous with both neighbours."""
    MANUAL = 5
    """An operator's correction."""

    @property
    def label(self) -> str:
        """The rank's name as data and API show it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Candle:
    """One bucket of one instrument.

    Prices are in quote currency, `volume` and `taker_buy_volume` in base currency, `quote_volume` is the sum of
    price x size. What a venue does not give is None, never made up. `first_id` and `last_id` are the smallest and
    largest trade id inside. `observed_at` orders equal ranks: when an exchange was asked, the epoch for candles built
    from trades (they merge field by field). `revision` counts the changes that the store has seen.
    """

    exchange: str
    symbol: str
    timeframe: Timeframe
    open_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal | None
    trades: int | None
    taker_buy_volume: Decimal | None
    first_id: int | None
    last_id: int | None
    source: Source
    observed_at: datetime = EPOCH
    revision: int = 0

    def __post_init__(self) -> None:
        assert self.low <= min(self.open, self.close), self
        assert self.high >= max(self.open, self.close), self

    @property
    def close_time(self) -> datetime:
        """The end of the bucket, excluded from it."""
        return self.open_time + self.timeframe.duration

    @property
    def complete(self) -> bool:
        """Whether this is more than a part of the bucket."""
        return self.source > Source.PARTIAL

    @property
    def vwap(self) -> Decimal | None:
        """Volume-weighted average price: quote volume over volume, 18 decimals, half even."""
        if self.quote_volume is None or not self.volume:
            return None
        return _VWAP.quantize(_VWAP.divide(self.quote_volume, self.volume), _VWAP_PLACES)
