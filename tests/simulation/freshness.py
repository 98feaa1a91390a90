"""The freshness oracle: while nothing is wrong, and has not been for a while, each minute is soon settled.

Equality in the end is not enough: with two feeds and a repair, much can be broken that the end does not show.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Sequence

from marketdata.model.candle import Source
from marketdata.model.span import Span
from marketdata.model.timeframe import M1

from tests.simulation.faults import HARMLESS, Strike
from tests.simulation.market import instruments
from tests.simulation.world import World

SETTLE_SECONDS = 300.0
"""So long after a fault, everything is as if it had not been: back-off, patience and late frames are over."""


class Freshness:
    """Looks at the minute that has just ended, as often as one ends, outside the faults of `strikes`."""

    def __init__(self, world: World, strikes: Sequence[Strike], *, mending: bool) -> None:
        self.looks = 0
        self._world = world
        self._mending = mending
        self._quiet_from = _quiet(strikes)

    async def watch(self) -> None:
        """Look until cancelled."""
        late = self._world.pace.fresh_seconds
        while True:
            seconds = self._world.time.seconds
            await asyncio.sleep(60.0 - (seconds - late) % 60.0)
            if self._is_calm(self._world.time.seconds):
                self._look()

    def _is_calm(self, seconds: float) -> bool:
        at = bisect_right(self._quiet_from, (seconds,)) - 1
        return at >= 0 and self._quiet_from[at][0] <= seconds < self._quiet_from[at][1]

    def _look(self) -> None:
        self.looks += 1
        end = M1.floor(self._world.time.now())
        opening = end - M1.duration
        for instrument in instruments():
            stored = self._world.store.candles(instrument, M1, start=opening, end=end, limit=1)
            if stored and stored[0].source is Source.PROVEN:
                continue
            if self._must_be_proven(instrument.symbol, Span(opening, end)):
                how = stored[0].source.label if stored else "missing"
                self._world.record.breaks(f"{instrument.symbol} {opening:%H:%M} is {how} without a fault")

    def _must_be_proven(self, symbol: str, minute: Span) -> bool:
        """Where nobody asks for what was lost, or for ids that never were, the minute after them stays unproven."""
        market = self._world.market
        before, last = market.newest_id(symbol, minute.start), market.newest_id(symbol, minute.end)
        around = market.trades_by_id(symbol, before, last + 2)
        if last <= before or self._mending:
            return last > before
        heard = self._world.record.heard
        return len(around) == last + 2 - before and all((symbol, trade.id) in heard for trade in around)


def _quiet(strikes: Sequence[Strike]) -> list[tuple[float, float]]:
    """When nothing is an excuse, as half-open spans in order."""
    spans, since = [], SETTLE_SECONDS
    for strike in sorted(strikes):
        if strike.kind not in HARMLESS:
            if since < strike.at:
                spans.append((since, strike.at))
            since = max(since, strike.ends + SETTLE_SECONDS)
    return [*spans, (since, float("inf"))]
