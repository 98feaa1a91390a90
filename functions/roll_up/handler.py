"""Drain the queue of changed minutes into coarser candles, and keep room for the days to come. Every minute.

Event (from EventBridge Scheduler, or the local one): {"job": "roll_up", "time": "2026-08-09T21:05:00Z"}
Answer: {"status": "success", "job": "roll_up", "result": {"entries": 12, "rounds": 1, "drained": true, ...},
         "started_at": "...", "completed_at": "...", "trigger": "schedule"}
"""

from datetime import timedelta
from typing import Any

from marketdata import wiring
from marketdata.clock import Clock, SystemClock
from marketdata.jobs.run_job import run_job, scheduled_time
from marketdata.observe import Handler, logger, watched
from marketdata.store.store import Store

JOB = "roll_up"
# A round that has begun when the deadline comes must end before Lambda cuts it off.
MARGIN = timedelta(seconds=15)


def application(store: Store, clock: Clock) -> Handler:
    """The scheduled job over `store`."""

    def answer(event: dict[str, Any], context: Any) -> dict[str, Any]:
        deadline = clock.now() + timedelta(milliseconds=context.get_remaining_time_in_millis()) - MARGIN
        run = run_job(JOB, store, clock, deadline, trigger="schedule", scheduled_time=scheduled_time(event))
        logger.debug("job done", extra={"job": JOB, "result": run.result})
        return run.document()

    return answer


@watched(JOB)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Lambda's entry point. Raises: whatever stopped the job, for the schedule to try again."""
    return application(wiring.shared_store(wiring.settings()), SystemClock())(event, context)
