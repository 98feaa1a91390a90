"""An invented market of quotes: the ticks of any hour are a pure function of (seed, symbol, hour)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from random import Random

from marketdata.model.span import Span
from marketdata.model.times import nanoseconds

HOUR = timedelta(hours=1)
_HOUR_MS = 3_600_000
_HOURS_KEPT_MAX = 64


@dataclass(frozen=True, slots=True)
class Tick:
    """One quote: milliseconds since its hour began, prices in points, sizes in units of base currency."""

    milliseconds: int
    bid: int
    ask: int
    bid_size: int
    ask_size: int


@dataclass(frozen=True, slots=True)
class MinuteBar:
    """One price of one minute that has ticks; `minute` counts from the beginning of the span asked for."""

    minute: int
    open: int
    high: int
    low: int
    close: int
    volume: int


class QuoteMarket:
    """`points`: around which price; `ticks_an_hour` on average. Some ticks share a time, and some hours have none."""

    def __init__(self, seed: int, points: int = 114_000, ticks_an_hour: int = 300, quiet: float = 0.0) -> None:
        self._seed = seed
        self._points = points
        self._ticks_an_hour = ticks_an_hour
        self._quiet = quiet
        self.hour = lru_cache(maxsize=_HOURS_KEPT_MAX)(self._hour)
        """The ticks of the hour that begins at a time, in order."""

    def minutes(self, symbol: str, span: Span, *, ask: bool = False) -> Iterator[MinuteBar]:
        """The bars of a span of whole hours, of bid or ask."""
        start = span.start
        while start < span.end:
            first = (start - span.start) // timedelta(minutes=1)
            by_minute: dict[int, list[Tick]] = {}
            for tick in self.hour(symbol, start):
                by_minute.setdefault(tick.milliseconds // 60_000, []).append(tick)
            for minute, ticks in by_minute.items():
                prices = [tick.ask if ask else tick.bid for tick in ticks]
                volume = sum(tick.ask_size if ask else tick.bid_size for tick in ticks)
                yield MinuteBar(first + minute, prices[0], max(prices), min(prices), prices[-1], volume)
            start += HOUR

    def _hour(self, symbol: str, start: datetime) -> tuple[Tick, ...]:
        key = f"{self._seed}/{symbol}/{nanoseconds(start)}".encode()
        random = Random(int.from_bytes(blake2b(key, digest_size=8).digest()))
        if random.random() < self._quiet:
            return ()
        count = max(1, round(self._ticks_an_hour * random.uniform(0.5, 1.5)))
        times = sorted(random.randrange(_HOUR_MS) for _ in range(count))
        for index in range(1, count):
            if random.random() < 0.05:
                times[index] = times[index - 1]
        return tuple(self._ticks(random, times))

    def _ticks(self, random: Random, times: list[int]) -> Iterator[Tick]:
        bid = round(self._points * random.uniform(0.98, 1.02))
        for milliseconds in times:
            bid = max(1, bid + random.randint(-3, 3))
            sizes = (random.randint(1, 400) * 10_000 for _ in range(2))
            yield Tick(milliseconds, bid, bid + random.randint(1, 4), *sizes)
