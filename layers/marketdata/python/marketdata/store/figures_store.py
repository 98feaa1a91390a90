"""What a store tells of the whole. Part of Store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    # For annotations alone: the store is part of every cold start, and figures of few.
    from collections.abc import Sequence
    from datetime import datetime

    from marketdata.model.instrument import Instrument
    from marketdata.store.figures import Figures, Holding


class FiguresStore(Protocol):
    """Holdings, and figures."""

    def holdings(self, instruments: Sequence[Instrument]) -> list[Holding]:
        """What is held of at most 1,000 instruments, in their order, finest timeframe first; of nothing, nothing.

        Raises: NotFound.
        """
        ...

    def figures(self, *, now: datetime) -> Figures:
        """Counts of the whole, as of `now`; gaps by (exchange, state), runs by (kind, trigger, state)."""
        ...
