"""The houses that are simulated. Layers hide each other's bugs, so each is also run with the others off."""

from tests.simulation.faults import Kind
from tests.simulation.simulation import EVERYTHING, Setup

CONFIGURATIONS = ("one", "two", "zombie", "bare", "unrepaired")


def setup(seed: int, hours: float, configuration: str = "") -> Setup:
    """What to simulate; without a configuration, the seeds take turns.

    one: a single feed, and every repair. two: two feeds side by side. zombie: two, and a third that sleeps for an hour
    at a time and then goes on. bare: a single feed, and no repair at all: the ledger must name exactly what is missing.
    unrepaired: a single feed that mends nothing, and the backfill.
    """
    name = configuration or CONFIGURATIONS[seed % len(CONFIGURATIONS)]
    if name == "two":
        return Setup(seed, hours, feeds=2)
    if name == "zombie":
        return Setup(seed, hours, feeds=3, kinds=EVERYTHING | {Kind.ZOMBIE})
    if name == "bare":
        return Setup(seed, hours, mending=False, repairing=False)
    if name == "unrepaired":
        return Setup(seed, hours, mending=False)
    assert name == "one", f"no configuration is called {name!r}; there are {', '.join(CONFIGURATIONS)}"
    return Setup(seed, hours)
