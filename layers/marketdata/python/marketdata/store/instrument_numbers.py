"""The numbers under which the database files instruments."""

from marketdata.errors import NotFound, StoreError
from marketdata.model.instrument import Instrument
from marketdata.store.instrument_rows import InstrumentRow
from marketdata.store.patient_client import PatientClient

Key = tuple[str, str]
"""(exchange, symbol)."""


class InstrumentNumbers:
    """Asks once and remembers: a pair keeps its number. Safe to share between threads."""

    def __init__(self, client: PatientClient) -> None:
        self._client = client
        # Replaced whole, never changed: threads may read it without a lock.
        self._ids: dict[Key, int] = {}

    def instruments(self, operation: str) -> dict[int, Instrument]:
        """All instruments by number, asked anew."""
        found = self._client.select_all(operation, "instruments", ("id",), InstrumentRow)
        self._ids = {(row.exchange, row.symbol): row.id for row in found}
        return {row.id: row.instrument for row in found}

    def of(self, operation: str, instrument: Instrument) -> int:
        """The number of one instrument. Raises: NotFound."""
        return self.of_all(operation, {instrument.key})[instrument.key]

    def of_all(self, operation: str, keys: set[Key]) -> dict[Key, int]:
        """The numbers of instruments; asks the database again only for one not met before. Raises: NotFound."""
        if not keys <= self._ids.keys():
            self.instruments(operation)
        ids = self._ids
        for exchange, symbol in sorted(keys - ids.keys()):
            raise NotFound("symbol", f"{symbol} of {exchange} is not followed here")
        return ids

    def keys_of(self, operation: str, numbers: set[int]) -> dict[int, Key]:
        """Whose numbers these are; asks the database again only for one not met before. Raises: StoreError."""
        if not numbers <= set(self._ids.values()):
            self.instruments(operation)
        known = {number: key for key, number in self._ids.items()}
        if not numbers <= known.keys():
            raise StoreError(operation, f"nobody has the numbers {sorted(numbers - known.keys())[:10]}")
        return known
