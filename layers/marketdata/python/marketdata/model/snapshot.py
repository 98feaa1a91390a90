"""What a whole asset was worth at one moment, by the word of a source that looks at many exchanges."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

INDEX_SOURCES = frozenset({"coingecko"})
"""Sources of snapshots. None of them is an exchange: nothing of theirs is an instrument's candle or trade."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One asset in one quote currency, as `source` had it at `observed_at` (aware UTC).

    `asset` and `quote` are canonical currencies. `price` is an index over many exchanges, in quote currency.
    `volume_24h` and `market_cap` are in quote currency too; `change_percent_24h` is of the price. What the source does
    not say is None.
    """

    source: str
    asset: str
    quote: str
    observed_at: datetime
    price: Decimal
    volume_24h: Decimal | None = None
    market_cap: Decimal | None = None
    change_percent_24h: Decimal | None = None

    @property
    def minute(self) -> datetime:
        """The minute that this is filed under; there is one of each."""
        return self.observed_at.replace(second=0, microsecond=0)

    @property
    def key(self) -> tuple[str, str, str, datetime]:
        """(source, asset, quote, minute)."""
        return (self.source, self.asset, self.quote, self.minute)
