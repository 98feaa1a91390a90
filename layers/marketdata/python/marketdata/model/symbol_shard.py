"""Which symbols are one feed's, where several share them: by a sum that every process computes alike."""

from dataclasses import dataclass
from zlib import crc32

_MARK = "-shard-"


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

    def feed_id(self, process: str) -> str:
        """The name of a feed that is this shard; the only one is named as its process."""
        return process if self.count == 1 else f"{process}{_MARK}{self.number}/{self.count}"


def shard_named(feed_id: str) -> str:
    """`2/3` of the feed of that name; empty of the only one."""
    return feed_id.rpartition(_MARK)[2] if _MARK in feed_id else ""
