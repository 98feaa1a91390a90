"""The instruments, remembered for a moment so that a request need not ask the store for them first."""

from datetime import datetime, timedelta

from marketdata.clock import Clock
from marketdata.errors import NotFound
from marketdata.model.instrument import Instrument
from marketdata.serve.symbols import find_instrument
from marketdata.store.store import Store

AGE_MAX = timedelta(seconds=10)


class KnownInstruments:
    """All instruments of a store, at most `age_max` old."""

    def __init__(self, store: Store, clock: Clock, age_max: timedelta = AGE_MAX) -> None:
        self._store = store
        self._clock = clock
        self._age_max = age_max
        self._known: list[Instrument] = []
        self._asked_at: datetime | None = None

    def all(self) -> list[Instrument]:
        """Every instrument, ordered by (exchange, symbol). Raises: StoreError."""
        if self._asked_at is None or self._clock.now() - self._asked_at >= self._age_max:
            self._ask()
        return self._known

    def find(self, symbol: str, exchange: str | None) -> Instrument:
        """The one that `symbol` names; a name not known yet is looked for once more. Raises: as find_instrument."""
        try:
            return find_instrument(self.all(), symbol, exchange)
        except NotFound:
            if self._asked_at == self._clock.now():
                raise
            return find_instrument(self._ask(), symbol, exchange)

    def _ask(self) -> list[Instrument]:
        self._known = self._store.instruments()
        self._asked_at = self._clock.now()
        return self._known
