"""Check each closed minute by what the exchange says of its own, as it is followed. Run by follow_live at every tick.

A trade that the exchange counts and we have not is a hole that mend fetches, because the claim named its id; the minute
is checked when it is here. A minute of the same trades but other figures is an error that no fetching mends: it is
logged.
"""

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from marketdata.compute.audit import compare
from marketdata.compute.bars import Bars
from marketdata.model.events import Claim
from marketdata.model.times import utc

logger = logging.getLogger(__name__)

CLAIMS_WAITING_MAX = 10_000


@dataclass(slots=True)
class AuditCounts:
    """`agreeing` and `differing` minutes; of those, `mended` ones lacked trades at first. The others `unchecked`."""

    agreeing: int = 0
    differing: int = 0
    mended: int = 0
    unchecked: int = 0


class MinuteAudit:
    """The claims of one exchange that wait to be checked; beyond `waiting_max` the oldest are not."""

    def __init__(self, exchange: str, waiting_max: int = CLAIMS_WAITING_MAX) -> None:
        self.counts = AuditCounts()
        self._exchange = exchange
        self._waiting_max = waiting_max
        self._waiting: deque[Claim] = deque()
        self._lacking: set[tuple[str, int]] = set()

    def hear(self, claim: Claim) -> None:
        """Take a claim; only the last word on a minute is checked."""
        if not claim.closed:
            return
        self._waiting.append(claim)
        if len(self._waiting) > self._waiting_max:
            self._lacking.discard(_key(self._waiting.popleft()))
            self.counts.unchecked += 1

    def check(self, bars: Mapping[str, Bars]) -> None:
        """Check the claims on minutes whose trades are all here."""
        for _ in range(len(self._waiting)):
            claim = self._waiting.popleft()
            if claim.symbol not in bars or not self._is_checked(claim, bars[claim.symbol]):
                self._waiting.append(claim)

    def _is_checked(self, claim: Claim, bars: Bars) -> bool:
        bars.fold()
        open_time = utc(claim.open_time_ns)
        candle = bars.candle_at(open_time)
        if candle is None and bars.is_settled(open_time):
            # Only the store has this minute: it was proven before a restart, or is long past.
            self.counts.unchecked += 1
            self._lacking.discard(_key(claim))
            return True
        if not bars.seen.covers(claim.first_id, claim.last_id):
            self._lacking.add(_key(claim))
            return False
        differing = ("open_time",) if candle is None else compare(claim, candle)
        self._count(claim, differing)
        return True

    def _count(self, claim: Claim, differing: tuple[str, ...]) -> None:
        if _key(claim) in self._lacking:
            self._lacking.discard(_key(claim))
            self.counts.mended += 1
        if not differing:
            self.counts.agreeing += 1
            return
        self.counts.differing += 1
        logger.error(
            "a minute differs from the exchange's own",
            extra={
                "exchange": self._exchange,
                "symbol": claim.symbol,
                "open_time_ns": claim.open_time_ns,
                "first_id": claim.first_id,
                "last_id": claim.last_id,
                "differing": ", ".join(differing),
            },
        )


def _key(claim: Claim) -> tuple[str, int]:
    return claim.symbol, claim.open_time_ns
