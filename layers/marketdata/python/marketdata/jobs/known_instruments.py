"""The instruments, remembered for a moment so that a request need not ask the store for them first."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from marketdata.clock import Clock
from marketdata.errors import NotFound
from marketdata.model.instrument import Instrument
from marketdata.serve.symbols import find_exchange, find_instrument
from marketdata.store.store import Store

AGE_MAX = timedelta(seconds=10)
# Who asks for what is not there may be asking for what was just added; but not every such request asks the store.
AGE_MAX_WHEN_MISSING = timedelta(seconds=1)

Found = TypeVar("Found")


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
        if self._age() >= self._age_max:
            self._ask()
        return self._known

    def find(self, symbol: str, exchange: str | None) -> Instrument:
        """The one that `symbol` names. Raises: NotFound, Ambiguous, StoreError."""
        return self._look(lambda known: find_instrument(known, symbol, exchange))

    def find_pushed(self, symbol: str) -> Instrument:
        """The one of those markets that are only pushed. Raises: NotFound, Ambiguous, StoreError."""
        return self._look(lambda known: find_instrument([one for one in known if one.pushed], symbol, None))

    def exchange(self, name: str) -> str:
        """The exchange of that name, as we spell it. Raises: NotFound, StoreError."""
        return self._look(lambda known: find_exchange(known, name))

    def refresh(self) -> None:
        """Ask the store now, whatever is remembered. Raises: StoreError."""
        self._ask()

    def _look(self, look: Callable[[list[Instrument]], Found]) -> Found:
        try:
            return look(self.all())
        except NotFound:
            if self._age() < AGE_MAX_WHEN_MISSING:
                raise
            return look(self._ask())

    def _age(self) -> timedelta:
        return timedelta.max if self._asked_at is None else self._clock.now() - self._asked_at

    def _ask(self) -> list[Instrument]:
        self._known = self._store.instruments()
        self._asked_at = self._clock.now()
        return self._known
