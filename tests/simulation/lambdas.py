"""The scheduled jobs of a simulation: the production jobs, run by the catalog's schedules as Lambda runs them.

Every run is a process of its own, that is cut off when its function's time is over. A function with reserved
concurrency is not run beside itself, except when a schedule is made to fire twice.
"""

import asyncio
import importlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from functools import partial
from random import Random

from marketdata.errors import StoreError
from marketdata.exchanges.registry import adapter_for
from marketdata.jobs.backfill import backfill
from marketdata.jobs.exchange_past import ExchangePast
from marketdata.jobs.reconcile import reconcile
from marketdata.jobs.run_job import JOBS, Job, run_job
from marketdata.jobs.scan_gaps import gap_scan
from marketdata.net.rest import PacedBudget, Rest

from infra.catalog import SCHEDULES, Schedule, function_named
from tests.simulation.process import Process
from tests.simulation.rest import URL, Transport
from tests.simulation.unsteady_store import through
from tests.simulation.virtual_time import MachineClock
from tests.simulation.world import World

MACHINE = "lambda"
HISTORY = timedelta(hours=3)
"""What is ordered at the first start."""
_REPAIRS = frozenset({"backfill", "reconcile"})
_TURN_SECONDS_MAX = 5.0


class Lambdas:
    """The scheduler and what it has started; `repairing` runs the backfill too."""

    def __init__(self, world: World, *, repairing: bool) -> None:
        self.clock = MachineClock(world.time)
        self.twice = False
        """Whether schedules fire twice at the moment."""
        self.running: dict[str, Process] = {}
        self._world = world
        self._repairing = repairing
        self._luck = Random(f"{world.seed}/{MACHINE}/luck")
        self._runs = 0
        adapter = adapter_for("coinbase-simulated")
        self._budget = PacedBudget(
            adapter.requests_per_second, adapter.requests_burst, lambda: self._world.time.seconds
        )

    def start(self) -> None:
        """Begin with the next whole minute."""
        scheduler = Process(self._world.time, "scheduler")
        for schedule in SCHEDULES:
            if self._repairing or schedule.job not in _REPAIRS:
                scheduler.start(self._fire(schedule))

    def kill_one(self) -> None:
        """Cut off whatever runs, in the middle."""
        for process in list(self.running.values()):
            self._world.record.note("job is killed", process.name)
            process.kill()

    async def _fire(self, schedule: Schedule) -> None:
        seconds, after = schedule.every_minutes * 60, schedule.after_minutes * 60
        while True:
            await asyncio.sleep(seconds - (self._world.time.seconds - after) % seconds)
            for _ in range(2 if self.twice else 1):
                if self.twice or schedule.job not in self.running:
                    self._run(schedule)

    def _run(self, schedule: Schedule) -> None:
        self._runs += 1
        process = Process(self._world.time, f"{schedule.job}.{self._runs}")
        self.running[schedule.job] = process
        task = process.start(asyncio.to_thread(self._work, process, schedule, self._world.time.now()))
        task.add_done_callback(lambda done: self._end(schedule, process, done))
        self._world.exchange.process.call_later(
            function_named(schedule.function).timeout_seconds, self._time_out, process
        )

    def _time_out(self, process: Process) -> None:
        if process.alive:
            self._world.record.note("job is cut off", process.name)
            process.kill()

    def _work(self, process: Process, schedule: Schedule, scheduled: datetime) -> None:
        world = self._world
        store = through(world.store, process, world.weather, world.record, luck=self._luck)
        function = function_named(schedule.function)
        margin = importlib.import_module(function.module).MARGIN
        deadline = self.clock.now() + timedelta(seconds=function.timeout_seconds) - margin
        run_job(
            schedule.job,
            store,
            self.clock,
            deadline,
            trigger="schedule",
            jobs=self._jobs(process),
            scheduled_time=scheduled,
        )

    def _end(self, schedule: Schedule, process: Process, done: "asyncio.Task[None]") -> None:
        if self.running.get(schedule.job) is process:
            del self.running[schedule.job]
        error = None if done.cancelled() else done.exception()
        if process.alive and error is not None:
            self._world.record.note("job fails", f"{process.name} {error!r}")
            if not isinstance(error, StoreError):
                self._world.record.breaks(f"{process.name} failed with {error!r}")
        process.alive = False

    def _jobs(self, process: Process) -> dict[str, Job]:
        open_past = partial(self._open_past, process)
        return {
            **JOBS,
            "gap_scan": partial(gap_scan, history=timedelta(days=7)),
            "backfill": partial(backfill, open_past=open_past, history=HISTORY, random_source=self._luck),
            "reconcile": partial(reconcile, open_past=open_past),
        }

    def _open_past(self, process: Process, exchange: str) -> AbstractContextManager[ExchangePast]:
        return self._past(process, exchange)

    @contextmanager
    def _past(self, process: Process, exchange: str) -> Iterator[ExchangePast]:
        adapter = adapter_for(exchange)
        assert adapter.candle_history is not None
        assert adapter.trade_history is not None
        transport = Transport(self._world.rest, process, MACHINE)
        rest = Rest(
            exchange,
            URL,
            self._budget,
            self.clock,
            sleep=process.sleep,
            wait_seconds_max=_TURN_SECONDS_MAX,
            transport=transport,
        )
        try:
            yield ExchangePast(rest.get, adapter.candle_history(exchange), adapter.trade_history(exchange))
        finally:
            rest.close()
