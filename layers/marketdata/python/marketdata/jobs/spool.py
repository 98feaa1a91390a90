"""Candles on their way to the store: one place for each bucket, bounded, closed candles never dropped."""

from dataclasses import dataclass, replace
from datetime import datetime

from marketdata.compute.bars import Change
from marketdata.model.instrument import Instrument

_Key = tuple[str, str, datetime]


@dataclass(slots=True)
class Waiting:
    """The newest state of one candle, until the store has it."""

    instrument: Instrument
    change: Change
    in_flight: bool = False

    @property
    def key(self) -> _Key:
        """What it replaces, and is replaced by."""
        return (*self.instrument.key, self.change.candle.open_time)


class Spool:
    """Waiting candles, oldest change first. A newer state of a bucket replaces the one that waits.

    Over `candles_max`, the partial candle that has waited longest without a change is dropped and counted: its trades
    are still in the bars, and its next change brings all of it back.
    """

    def __init__(self, candles_max: int) -> None:
        self.dropped = 0
        self._candles_max = candles_max
        self._waiting: dict[_Key, Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, instrument: Instrument, change: Change) -> None:
        """Let a change wait for the next flush."""
        waiting = Waiting(instrument, change)
        before = self._waiting.pop(waiting.key, None)
        if before is not None and before.change.closed and not before.in_flight:
            # It was never announced as closed, so what replaces it is no revision yet.
            waiting.change = replace(change, revised=before.change.revised)
        self._waiting[waiting.key] = waiting
        if len(self._waiting) > self._candles_max:
            self._drop_one()

    def take(self, most: int) -> list[Waiting]:
        """The `most` that have waited longest, marked as in flight; they stay until `done`."""
        batch = list(self._waiting.values())[:most]
        for waiting in batch:
            waiting.in_flight = True
        return batch

    def done(self, batch: list[Waiting]) -> None:
        """The store has these; what changed in the meantime waits on."""
        for waiting in batch:
            if self._waiting.get(waiting.key) is waiting:
                del self._waiting[waiting.key]

    def failed(self, batch: list[Waiting]) -> None:
        """The store has not taken these, as far as we know."""
        for waiting in batch:
            waiting.in_flight = False

    def _drop_one(self) -> None:
        for key, waiting in self._waiting.items():
            if not waiting.change.closed and not waiting.in_flight:
                del self._waiting[key]
                self.dropped += 1
                return
