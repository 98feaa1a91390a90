"""Designs timed in turns, A B C A B C …, so that a busy neighbour slows all of them alike."""

import gc
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Design(Protocol):
    """One way to do a piece of work that comes in portions."""

    name: str

    def work(self, portion: int) -> None:
        """Do the portion of that number; portions come in order."""
        ...


@dataclass(frozen=True, slots=True)
class Timing:
    """The seconds that each portion took."""

    seconds: tuple[float, ...]

    def nanoseconds_min(self, items: int) -> float:
        """The fastest portion, per item: what the code costs when nothing disturbs it."""
        return min(self.seconds) / items * 1e9

    def nanoseconds_median(self, items: int) -> float:
        """The usual portion, per item."""
        return statistics.median(self.seconds) / items * 1e9


def time_in_turns(designs: Sequence[Design], portions: int) -> dict[str, Timing]:
    """Every design does portion 0, then every design portion 1, …; the collector runs between, not inside."""
    seconds: dict[str, list[float]] = {design.name: [] for design in designs}
    for portion in range(portions):
        for design in designs:
            gc.collect()
            started = time.thread_time()
            design.work(portion)
            seconds[design.name].append(time.thread_time() - started)
    return {name: Timing(tuple(taken)) for name, taken in seconds.items()}


def joined(timings: Sequence[Mapping[str, Timing]]) -> dict[str, Timing]:
    """Several races of the same designs as one."""
    return {name: Timing(tuple(s for one in timings for s in one[name].seconds)) for name in timings[0]}


def times_as_long(slow: Timing, fast: Timing) -> float:
    """How many times as long `slow` takes: the median over rounds, each of which saw the same minute of the machine."""
    return statistics.median(a / b for a, b in zip(slow.seconds, fast.seconds, strict=True))
