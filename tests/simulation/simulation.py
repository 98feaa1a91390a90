"""One simulation from its seed to its verdict: feeds, jobs, exchange and store on virtual time, and what went wrong."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from marketdata.model.gap import UNRESOLVED
from marketdata.model.span import Span
from marketdata.store.memory import MemoryStore
from marketdata.store.store import Store

from tests.simulation.exchange import StreamExchange
from tests.simulation.faults import Kind, Strike, plan
from tests.simulation.feeder import Machine
from tests.simulation.freshness import Freshness
from tests.simulation.heard import unsaved
from tests.simulation.lambdas import Lambdas
from tests.simulation.market import SimulatedMarket, instruments
from tests.simulation.oracle import Verdict, judge
from tests.simulation.pace import UNHURRIED, Pace
from tests.simulation.record import Record
from tests.simulation.rest import RestExchange
from tests.simulation.strikes import Striker
from tests.simulation.unsteady_store import Weather
from tests.simulation.virtual_time import MachineClock, VirtualTime
from tests.simulation.world import World

START = datetime(2026, 11, 16, tzinfo=UTC)
"""A Monday, where every timeframe begins."""
DRAIN_SECONDS_LEAST = 900.0
DRAIN_SECONDS_MOST = 7200.0
STEP_SECONDS = 300.0
GOODBYE_SECONDS = 60.0
SKIPS_IN_TEN_THOUSAND = 20

EVERYTHING = frozenset(Kind) - {Kind.ZOMBIE}


@dataclass(frozen=True, slots=True)
class Setup:
    """What is simulated. `feeds` run side by side; the last one falls asleep for hours if ZOMBIE is among `kinds`."""

    seed: int
    hours: float = 24.0
    feeds: int = 1
    mending: bool = True
    repairing: bool = True
    kinds: frozenset[Kind] = EVERYTHING
    times: float = 1.0
    """How often everything goes wrong, as a multiple of what faults.py says."""
    busier: int = 1
    """How many times as much is traded in a minute as market.py says."""
    pace: Pace = UNHURRIED
    start: datetime = START


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a simulation ended. `broken` is empty if the law held."""

    setup: Setup
    verdict: Verdict
    broken: list[str]
    fingerprint: str
    counts: Counter[str]
    looks: int
    strikes: int
    drained_seconds: float
    record: Record = field(repr=False)
    market: SimulatedMarket = field(repr=False)
    drawn: list[Strike] = field(repr=False)

    @property
    def span(self) -> Span:
        """What was judged."""
        return Span(self.setup.start, self.setup.start + timedelta(hours=self.setup.hours))


def simulate(setup: Setup, store: Store | None = None, on_step: Callable[[float], object] = lambda _: None) -> Outcome:
    """Run it; `on_step` hears how many virtual seconds have passed."""
    with _silence():
        return _Simulation(setup, store).run(on_step)


class _Simulation:
    def __init__(self, setup: Setup, store: Store | None) -> None:
        self._setup = setup
        self._strikes = plan(setup.seed, setup.hours, setup.kinds, setup.times)
        time = VirtualTime(setup.start)
        self._world = world = _world(setup, self._strikes, time, store)
        world.store.put_instruments(instruments())
        self._machines = [Machine(world, number, mending=setup.mending) for number in range(setup.feeds)]
        self._lambdas = Lambdas(world, repairing=setup.repairing)
        self._freshness = Freshness(world, self._strikes, mending=setup.mending)

    def run(self, on_step: Callable[[float], object]) -> Outcome:
        world, end = self._world, self._setup.hours * 3600.0
        Striker(world, self._machines, self._lambdas).schedule(self._strikes)
        watching = world.exchange.process.start(self._freshness.watch())
        self._lambdas.start()
        for machine in self._machines:
            machine.start()
        self._run_until(end, on_step)
        drained = self._drain(end, on_step)
        watching.cancel()
        for machine in self._machines:
            machine.stop()
        world.time.run_until(world.time.seconds + GOODBYE_SECONDS)
        world.time.end()
        return self._outcome(drained)

    def _run_until(self, end: float, on_step: Callable[[float], object]) -> None:
        while self._world.time.seconds < end:
            self._world.time.run_until(min(end, self._world.time.seconds + STEP_SECONDS))
            on_step(self._world.time.seconds)

    def _drain(self, end: float, on_step: Callable[[float], object]) -> float:
        """Without faults, until nothing is left to repair; returns how long that took."""
        time = self._world.time
        self._run_until(end + DRAIN_SECONDS_LEAST, on_step)
        while self._setup.repairing and time.seconds < end + DRAIN_SECONDS_MOST:
            if not self._world.store.gaps(states=UNRESOLVED, limit=1):
                break
            self._run_until(time.seconds + STEP_SECONDS, on_step)
        return time.seconds - end

    def _outcome(self, drained: float) -> Outcome:
        world, setup = self._world, self._setup
        # What is still queued.
        while world.store.roll_up():
            pass
        world.store.close_covered_gaps(now=world.time.now())
        span = Span(setup.start, setup.start + timedelta(hours=setup.hours))
        verdict = judge(world.store, world.market, instruments(), span, world.record.proved_by)
        broken = [*world.record.broken, *world.time.failures, *verdict.broken]
        broken += unsaved(world.record, world.market, world.weather, setup.pace)
        if setup.repairing and (verdict.named or verdict.unrecoverable):
            broken.append(f"{verdict.named} minutes were not repaired, {verdict.unrecoverable} of them given up")
        return Outcome(
            setup=setup,
            verdict=verdict,
            broken=broken,
            fingerprint=world.record.fingerprint,
            counts=world.record.counts,
            looks=self._freshness.looks,
            strikes=len(self._strikes),
            drained_seconds=drained,
            record=world.record,
            market=world.market,
            drawn=self._strikes,
        )


def _world(setup: Setup, strikes: list[Strike], time: VirtualTime, store: Store | None) -> World:
    start, seconds = setup.start, setup.hours * 3600.0 + DRAIN_SECONDS_MOST + GOODBYE_SECONDS
    bursts = [
        Span(start + timedelta(seconds=one.at), start + timedelta(seconds=one.ends))
        for one in strikes
        if one.kind is Kind.BURST
    ]
    market = SimulatedMarket(
        setup.seed,
        Span(start, start + timedelta(seconds=seconds)),
        bursts=bursts,
        busier=setup.busier,
        skips=SKIPS_IN_TEN_THOUSAND if Kind.SKIP in setup.kinds else 0,
    )
    record = Record(time)
    return World(
        seed=setup.seed,
        pace=setup.pace,
        time=time,
        market=market,
        exchange=StreamExchange(time, market, record, beat_seconds=setup.pace.beat_seconds),
        rest=RestExchange(time, market, record, Random(f"{setup.seed}/rest")),
        store=store or MemoryStore(MachineClock(time)),
        weather=Weather(),
        record=record,
    )


@contextmanager
def _silence() -> Iterator[None]:
    """A day of faults is a day of warnings; what matters here is in the record."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
