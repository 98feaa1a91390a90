"""Virtual time: one scheduler for all simulated processes, which jumps from event to event.

Nothing here reads the machine's clock, and equal times are taken in the order in which they were asked for: the same
seed gives the same history. What a process is, is in process.py.
"""

import asyncio
import heapq
import weakref
from collections import deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from greenlet import getcurrent  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from tests.simulation.process import Process


UNWIND_SECONDS = 1_000.0
"""Longer than anything sleeps without asking whether it is still alive."""


class Killed(Exception):
    """The process that did this is dead: nothing that it does any more may have an effect."""


class VirtualTime:
    """Seconds since the start of the simulation, and what happens when."""

    def __init__(self, start: datetime) -> None:
        self.start = start
        self.seconds = 0.0
        self.failures: list[str] = []
        self._ready: deque[tuple[Process, asyncio.Handle]] = deque()
        self._timers: list[tuple[float, int, Process, asyncio.TimerHandle]] = []
        self._count = 0
        self._running: asyncio.AbstractEventLoop | None = None
        self._main = getcurrent()
        self._processes: weakref.WeakSet[Process] = weakref.WeakSet()

    def now(self) -> datetime:
        """The true time, by which the exchange lives."""
        return self.start + timedelta(seconds=self.seconds)

    def knows(self, process: "Process") -> None:
        """There is such a process."""
        self._processes.add(process)

    def end(self) -> None:
        """Kill every process, and let what is left of them unwind."""
        for process in sorted(self._processes, key=lambda one: one.name):
            process.kill()
        self.run_until(self.seconds + UNWIND_SECONDS)

    def soon(self, process: "Process", handle: asyncio.Handle) -> None:
        """Run `handle` in `process` at this instant, after what already waits."""
        self._ready.append((process, handle))

    def later(self, process: "Process", handle: asyncio.TimerHandle) -> None:
        """Run `handle` in `process` when its time comes."""
        self._count += 1
        heapq.heappush(self._timers, (handle.when(), self._count, process, handle))

    def run_until(self, seconds: float) -> None:
        """Let everything happen that happens up to `seconds`."""
        while True:
            self._run_ready()
            if not self._timers or self._timers[0][0] > seconds:
                break
            when, _, process, handle = heapq.heappop(self._timers)
            self.seconds = max(self.seconds, when)
            self._ready.append((process, handle))
        self.seconds = max(self.seconds, seconds)

    def switch_to(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """What runs from here on runs on `loop`."""
        if loop is not self._running:
            self._running = loop
            asyncio._set_running_loop(loop)

    def _run_ready(self) -> None:
        while self._ready:
            process, handle = self._ready.popleft()
            if not handle.cancelled():
                process.run(handle)
        self.switch_to(None)

    def sleep(self, process: "Process", seconds: float) -> None:
        """Let a synchronous call of `process` wait; only what `asyncio.to_thread` runs may."""
        waiting = getcurrent()
        assert waiting is not self._main, "the event loop itself would stand still"
        process.call_later(seconds, waiting.switch)
        self._main.switch()
        process.check_alive()


class MachineClock:
    """A machine's own clock over virtual time; it can be wrong by `ahead_seconds`."""

    def __init__(self, time: VirtualTime) -> None:
        self.ahead_seconds = 0.0
        self._time = time

    def now(self) -> datetime:
        """What this machine takes for the time."""
        return self._time.start + timedelta(seconds=self._time.seconds + self.ahead_seconds)
