"""EventBridge Scheduler on one machine: runs the catalog's schedules, on the wall clock's minutes, with the same input.

Jobs run beside each other, as functions do on AWS. A job still running when its time comes again is left to finish.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from marketdata.clock import Clock, SystemClock
from marketdata.model.times import EPOCH, rfc3339
from marketdata.observe import leave_tracebacks_out
from marketdata.wiring import begin_waiting, end_waiting

from infra.catalog import SCHEDULES, Schedule, function_named
from local.invocation import Handler, context_of, load_handler

logger = logging.getLogger("marketdata.local.scheduler")

STOP_SECONDS_MAX = 5.0

_MINUTE = timedelta(minutes=1)

Sleep = Callable[[float], Awaitable[object]]


class Scheduler:
    """Runs from `start` to `stop`; `handlers` by function name replaces the real ones."""

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        schedules: Sequence[Schedule] = SCHEDULES,
        handlers: Mapping[str, Handler] | None = None,
        sleep: Sleep = asyncio.sleep,
        stop_seconds_max: float = STOP_SECONDS_MAX,
    ) -> None:
        self._clock = clock or SystemClock()
        self._schedules = schedules
        self._handlers = handlers or {
            schedule.function: load_handler(function_named(schedule.function)) for schedule in schedules
        }
        self._sleep = sleep
        self._stop_seconds_max = stop_seconds_max
        self._running: dict[str, asyncio.Task[None]] = {}
        self._worker = ThreadPoolExecutor(max_workers=max(1, len(schedules)), thread_name_prefix="schedule")
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin with the next minute, on the running event loop."""
        assert self._loop is None, "started before"
        begin_waiting()
        self._loop = asyncio.create_task(self._run(), name="scheduler")

    async def stop(self) -> None:
        """Start nothing more; let jobs that wait for work end, and give those at work a few seconds to.

        What does not end by then loses its store; its lease ends, and the next run takes up what it left.
        """
        end_waiting()
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])
        if self._running:
            _, unfinished = await asyncio.wait(list(self._running.values()), timeout=self._stop_seconds_max)
            for task in unfinished:
                task.cancel()
            if unfinished:
                jobs = sorted(job for job, task in self._running.items() if task in unfinished)
                logger.warning("stopped before they ended", extra={"jobs": ", ".join(jobs)})
                leave_tracebacks_out()
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def _run(self) -> None:
        while True:
            # Counted from now and not from the minute before: a machine that slept runs what is due now, once.
            minute = _next_minute(self._clock.now())
            await self._sleep_until(minute)
            for schedule in self._schedules:
                if _is_due(schedule, minute):
                    self._begin(schedule, minute)

    async def _sleep_until(self, time: datetime) -> None:
        while (left := (time - self._clock.now()).total_seconds()) > 0:
            await self._sleep(left)

    def _begin(self, schedule: Schedule, minute: datetime) -> None:
        if schedule.job in self._running:
            logger.warning("job still runs, this time is skipped", extra={"job": schedule.job})
            return
        task = asyncio.create_task(self._invoke(schedule, minute), name=f"schedule {schedule.job}")
        self._running[schedule.job] = task
        task.add_done_callback(lambda _: self._running.pop(schedule.job))

    async def _invoke(self, schedule: Schedule, minute: datetime) -> None:
        event = {"job": schedule.job, "time": rfc3339(minute)}
        try:
            await asyncio.get_running_loop().run_in_executor(self._worker, self._call, schedule, event)
        except Exception:
            # The next time comes whatever happened to this one.
            logger.exception("job failed", extra=event)

    def _call(self, schedule: Schedule, event: dict[str, Any]) -> None:
        """Invoke the handler; on a worker thread, where its time begins."""
        self._handlers[schedule.function](event, context_of(function_named(schedule.function)))


def _next_minute(now: datetime) -> datetime:
    return now - (now - EPOCH) % _MINUTE + _MINUTE


def _is_due(schedule: Schedule, minute: datetime) -> bool:
    return (minute - EPOCH) // _MINUTE % schedule.every_minutes == schedule.after_minutes
