"""What happened in a simulation: a fingerprint of all of it, counts, and when each trade was heard, asked for and kept.

Written by the exchange, the store and the house while they run; read by the oracles when all is over.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from tests.simulation.virtual_time import VirtualTime

TradeKey = tuple[str, int]
"""(symbol, trade id)."""


class Record:
    """One simulation's history, as far as somebody asks for it afterwards."""

    def __init__(self, time: VirtualTime) -> None:
        self.counts: Counter[str] = Counter()
        self.broken: list[str] = []
        """Promises that were seen broken, in words."""
        self.heard: dict[TradeKey, float] = {}
        """When a feed first heard of a trade on its stream, in virtual seconds."""
        self.heard_by: dict[str, dict[TradeKey, float]] = {}
        """The same for each process."""
        self.heard_at: dict[str, float] = {}
        """When a frame last reached each process."""
        self.asked: dict[TradeKey, float] = {}
        """When somebody first asked REST for a page that holds the trade."""
        self.kept: dict[TradeKey, float] = {}
        """When the store first had it."""
        self.proved_by: dict[tuple[str, datetime], str] = {}
        """Which process first proved a minute of a symbol."""
        self.stood_still: dict[str, list[tuple[float, float]]] = {}
        """When which process did nothing."""
        self.died: dict[str, float] = {}
        """When which process ended."""
        self.time = time
        self._digest = hashlib.sha256()

    @property
    def fingerprint(self) -> str:
        """Equal for equal histories."""
        return self._digest.hexdigest()[:16]

    def note(self, what: str, detail: str = "") -> None:
        """Something happened now."""
        self.counts[what] += 1
        self._digest.update(f"{self.time.seconds:.6f} {what} {detail}\n".encode())

    def breaks(self, promise: str) -> None:
        """A promise was seen broken now."""
        self.note("broken promise", promise)
        self.broken.append(f"{self.time.now():%d %H:%M:%S} {promise}")

    def hears(self, process: str, trades: Iterable[TradeKey]) -> None:
        """A feed took these trades from its stream."""
        by_process = self.heard_by.setdefault(process, {})
        for key in trades:
            self.heard.setdefault(key, self.time.seconds)
            by_process.setdefault(key, self.time.seconds)

    def asks(self, trades: Iterable[TradeKey]) -> None:
        """Somebody asks REST for these."""
        for key in trades:
            self.asked.setdefault(key, self.time.seconds)

    def keeps(self, trades: Iterable[TradeKey]) -> None:
        """The store has these now."""
        for key in trades:
            self.kept.setdefault(key, self.time.seconds)
