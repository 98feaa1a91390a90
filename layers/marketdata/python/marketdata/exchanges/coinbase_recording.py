"""Recordings of Coinbase's feeds."""

from collections.abc import Sequence
from datetime import datetime

from marketdata.errors import RemoteMalformed
from marketdata.exchanges.coinbase import CoinbaseExchange
from marketdata.exchanges.coinbase_advanced import CoinbaseAdvanced
from marketdata.exchanges.coinbase_wire import NAME
from marketdata.model.events import Event


class CoinbaseRecording:
    """Recorded frames of either feed, told apart by themselves."""

    ids_contiguous = True

    def __init__(self, name: str = NAME) -> None:
        self.name = name
        self._exchange = CoinbaseExchange(name=name)
        self._advanced = CoinbaseAdvanced(name=name)

    def decode(self, frame: str | bytes, received_at: datetime | None) -> Sequence[Event]:
        """The events in one frame. Raises: RemoteMalformed."""
        try:
            return self._exchange.decode(frame, received_at)
        except RemoteMalformed as malformed:
            if not self._advanced.speaks(frame):
                raise malformed from None
        return self._advanced.decode(frame, received_at)
