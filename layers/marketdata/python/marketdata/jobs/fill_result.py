"""What one run of the mover did, counted. Kept by fill_gaps; shown by backfill and the command line."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class FillResult:
    """What one run did, counted. `throttled` and `away` name the exchanges that it stopped asking."""

    claimed: int = 0
    filled: int = 0
    no_trades: int = 0
    market_closed: int = 0
    unrecoverable: int = 0
    pieces: int = 0
    """Pieces of long gaps that were settled while the rest of the gap goes on."""
    released: int = 0
    lost: int = 0
    """Gaps whose lease ran out meanwhile; another worker has them."""
    candles: int = 0
    minutes_empty: int = 0
    throttled: list[str] = field(default_factory=list)
    away: list[str] = field(default_factory=list)

    def document(self) -> dict[str, object]:
        """The counts as JSON shows them."""
        return {name: getattr(self, name) for name in self.__slots__}
