"""What is said of a simulated seed in one line, and of many together."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tests.simulation.configurations import CONFIGURATIONS, setup
from tests.simulation.figures import Hole, holes, percentile
from tests.simulation.pace import UNHURRIED, Pace
from tests.simulation.simulation import simulate


@dataclass(frozen=True, slots=True)
class Line:
    """One seed's result."""

    seed: int
    configuration: str
    hours: float
    faults: int
    trades: int
    minutes: int
    named: int
    looks: int
    """How often freshness was looked at."""
    fingerprint: str
    seconds: float
    holes: tuple[Hole, ...]
    broken: tuple[str, ...]

    def __str__(self) -> str:
        found = "ok    " if not self.broken else f"FAILED ({len(self.broken)})"
        return (
            f"seed {self.seed:<4} {self.configuration:<10} {found} {self.fingerprint}  {self.faults} faults, "
            f"{self.trades} trades, {self.minutes} minutes, {self.named} named, {self.looks} looks, "
            f"{len(self.holes)} holes, {self.seconds:.1f} s"
        )


def line_of(
    seed: int,
    hours: float,
    configuration: str = "",
    *,
    pace: Pace = UNHURRIED,
    show: Callable[[float], object] = lambda _: None,
) -> Line:
    """Simulate one seed."""
    began = time.monotonic()
    name = configuration or CONFIGURATIONS[seed % len(CONFIGURATIONS)]
    outcome = simulate(replace(setup(seed, hours, name), pace=pace), on_step=show)
    return Line(
        seed=seed,
        configuration=name,
        hours=hours,
        faults=outcome.strikes,
        trades=outcome.verdict.trades,
        minutes=outcome.verdict.minutes,
        named=outcome.verdict.named,
        looks=outcome.looks,
        fingerprint=outcome.fingerprint,
        seconds=time.monotonic() - began,
        holes=tuple(holes(outcome)),
        broken=tuple(outcome.broken),
    )


def summary(lines: Sequence[Line]) -> str:
    """All seeds together."""
    every = [hole for line in lines if line.configuration == "one" for hole in line.holes]
    found = [hole.found_seconds for hole in every]
    repaired = [hole.repaired_seconds for hole in every]
    failed = sum(bool(line.broken) for line in lines)
    return (
        f"{len(lines)} seeds, {sum(line.hours for line in lines):g} simulated hours, "
        f"{sum(line.faults for line in lines):,} faults, {sum(line.trades for line in lines):,} trades, "
        f"{sum(line.minutes for line in lines):,} minutes: {failed} seeds failed; "
        f"{len(every):,} holes of a single feed, found p99 {percentile(found, 0.99):.1f} s, "
        f"repaired p50 {percentile(repaired, 0.5):.1f} s, p99 {percentile(repaired, 0.99):.1f} s"
    )
