"""Which symbols are one feed's, where several share them: by a sum that every process computes alike."""

from dataclasses import dataclass
from zlib import crc32


@dataclass(frozen=True, slots=True)
class SymbolShard:
    """The `number`th of `count` feeds, from 1; the only one takes every symbol."""

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ValueError(f"there is no shard {self.number} of {self.count}")

    def has(self, symbol: str) -> bool:
        """Whether the symbol is this feed's. Python's own hash would differ from process to process."""
        return crc32(symbol.encode()) % self.count == self.number - 1
