"""Ticks of markets that are only pushed, as a store keeps and folds them. Part of Store."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.trade import Trade


class Kept(IntEnum):
    """What became of one tick."""

    ADDED = 0
    DUPLICATE = 1
    CONFLICT = 2
    """One of that time and id is held, and says something else."""


class PushedTickStore(Protocol):
    """What belongs together and is done in one step, whoever else is at it."""

    def keep_ticks(self, exchange: str, ticks: Sequence[Trade]) -> list[Kept]:
        """Keep those not held yet, by (symbol, time, id), and say of each what became of it.

        Of ticks alike in one call the first is kept. Raises: NotFound as put_trades.
        """
        ...

    def fold_ticks(self, instrument: Instrument, spans: Sequence[Span]) -> int:
        """Make the minutes in `spans`, whole ones, what the ticks held are: `partial`; how many changed.

        A higher rank stands. What is held afterwards is of all ticks that were kept before.
        """
        ...
