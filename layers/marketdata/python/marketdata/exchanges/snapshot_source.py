"""What a source of snapshots is: pure, like an exchange's adapter, and no exchange.

It values whole assets over many exchanges. Who implements this implements none of exchange.py's protocols.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from marketdata.exchanges.exchange import Request
from marketdata.model.coin import Coin
from marketdata.model.snapshot import Snapshot
from marketdata.model.span import Span


@dataclass(frozen=True, slots=True)
class SnapshotPage:
    """What one answer says of the assets asked for: `absent` have no price, `malformed` is what could not be read."""

    snapshots: tuple[Snapshot, ...]
    absent: tuple[str, ...] = ()
    malformed: tuple[str, ...] = ()


class SnapshotSource(Protocol):
    """What whole assets are worth."""

    name: str
    coins_a_request: int
    """How many coins one request may name."""

    def market_request(self, coins: Sequence[Coin], quote: str) -> Request:
        """The request for what these coins are worth now."""
        ...

    def parse_markets(self, body: bytes, coins: Iterable[Coin], quote: str) -> SnapshotPage:
        """The snapshots in one answer to a request for these coins. Raises: RemoteMalformed."""
        ...

    def chart_requests(self, coin: Coin, quote: str, span: Span) -> list[Request]:
        """The requests for the index prices of `span`, oldest first."""
        ...

    def parse_chart(self, body: bytes, coin: Coin, quote: str) -> list[Snapshot]:
        """The index prices in one answer, oldest first. Raises: RemoteMalformed."""
        ...
