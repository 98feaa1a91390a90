"""What every part of the in-memory store shares: the lock, the instruments, and how it refuses."""

from collections.abc import Iterable
from datetime import datetime
from threading import RLock

from marketdata.clock import Clock
from marketdata.errors import NotFound, StoreError
from marketdata.model.instrument import Instrument

Key = tuple[str, str]
"""(exchange, symbol)."""


class MemoryBase:
    """The instruments, behind one lock for everything."""

    def __init__(self, clock: Clock | None) -> None:
        self._lock = RLock()
        self._clock = clock
        self._instruments: dict[Key, Instrument] = {}
        self._known_since: dict[Key, datetime] = {}

    def instruments(self, *, active_only: bool = False) -> list[Instrument]:
        """See Store."""
        with self._lock:
            known = [self._instruments[key] for key in sorted(self._instruments)]
        return [instrument for instrument in known if instrument.active or not active_only]

    def _require(self, keys: Iterable[Key]) -> None:
        for exchange, symbol in keys:
            if (exchange, symbol) not in self._instruments:
                raise NotFound("symbol", f"{symbol} of {exchange} is not followed here")


def refuse(operation: str, reasons: Iterable[str | None]) -> None:
    """Raises: StoreError with the first reason there is."""
    reason = next((reason for reason in reasons if reason), None)
    if reason:
        raise StoreError(operation, reason)
