"""What a source of snapshots knows a currency by."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Coin:
    """`asset`, the canonical currency, and the id by which a source knows it: two coins may share a symbol."""

    asset: str
    id: str
