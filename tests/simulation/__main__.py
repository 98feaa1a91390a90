"""Simulate seeds, and say of each whether the law held: `make sim SEED=7 HOURS=24`, `make sim SEEDS=50 HOURS=24`.

A failing seed fails every time: run it again by itself, with the same hours.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.simulation.configurations import CONFIGURATIONS
from tests.simulation.pace import PRODUCTION, UNHURRIED, Pace
from tests.simulation.report import Line, line_of, summary

PACES = {"unhurried": UNHURRIED, "production": PRODUCTION}
PROCESSES = 2
EXAMPLES_MAX = 10


def main(arguments: Sequence[str]) -> int:
    """Returns 1 if any seed failed."""
    asked = _parse(arguments)
    seeds = [asked.seed] if asked.seed is not None else list(range(asked.first, asked.first + asked.seeds))
    began, lines = time.monotonic(), []
    for line in _lines(seeds, asked.hours, asked.configuration, PACES[asked.pace]):
        lines.append(line)
        sys.stdout.write(f"{len(lines):>4}/{len(seeds)}  {line}\n")
        for broken in line.broken[:EXAMPLES_MAX]:
            sys.stdout.write(f"           {broken}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{summary(lines)}, in {time.monotonic() - began:.0f} s\n")
    failed = [line for line in lines if line.broken]
    for line in failed:
        sys.stdout.write(f"again: make sim SEED={line.seed} HOURS={asked.hours:g} CONFIGURATION={line.configuration}\n")
    return 1 if failed else 0


def _lines(seeds: Sequence[int], hours: float, configuration: str, pace: Pace) -> Iterator[Line]:
    """In the order of the seeds, as they become known."""
    if len(seeds) == 1:
        yield line_of(seeds[0], hours, configuration, pace=pace, show=_show)
        return
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(line_of, seed, hours, configuration, pace=pace) for seed in seeds]
        for future in futures:
            yield future.result()


def _show(seconds: float) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{seconds / 3600:6.1f} h ")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="one seed alone")
    parser.add_argument("--seeds", type=int, default=10, help="so many seeds, in two processes")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--hours", type=float, default=24.0, help="simulated hours of each")
    parser.add_argument(
        "--configuration", choices=("", *CONFIGURATIONS), default="", help="without one, the seeds take turns"
    )
    parser.add_argument("--pace", choices=tuple(PACES), default="unhurried", help="production: ten times the events")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
