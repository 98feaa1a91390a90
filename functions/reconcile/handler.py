"""Hold our candles against the exchanges' own, and repair where rank allows. Once a day.

Event (from EventBridge Scheduler, or the local one): {"job": "reconcile", "time": "2026-08-09T03:17:00Z"}
Answer: {"status": "success", "job": "reconcile",
         "result": {"instruments": 3, "compared": 1812, "mismatched": 2, "repaired": 2, "fields": {"close": 2}, ...},
         "started_at": "...", "completed_at": "...", "trigger": "schedule"}
"""

from datetime import timedelta
from typing import Any

from marketdata import wiring
from marketdata.clock import Clock, SystemClock
from marketdata.jobs.run_job import run_job, scheduled_time
from marketdata.observe import Handler, count, logger, watched
from marketdata.store.store import Store
from marketdata.wiring import Settings

JOB = "reconcile"
# The last request waits for its turn and its answer, and what it brought is written, before Lambda cuts it off.
MARGIN = timedelta(seconds=25)
COUNTED = ("compared", "mismatched", "repaired", "ordered", "kept", "venue_absent", "malformed")


def application(store: Store, settings: Settings, clock: Clock) -> Handler:
    """The scheduled job over `store`."""

    def answer(event: dict[str, Any], context: Any) -> dict[str, Any]:
        deadline = clock.now() + timedelta(milliseconds=context.get_remaining_time_in_millis()) - MARGIN
        run = run_job(
            JOB,
            store,
            clock,
            deadline,
            trigger="schedule",
            jobs=wiring.jobs(settings, store),
            scheduled_time=scheduled_time(event),
        )
        for name in COUNTED:
            value = run.result.get(name)
            if isinstance(value, int):
                count(f"candles_{name}", value)
        logger.info("reconciling done", extra={"job": JOB, "result": run.result})
        return run.document()

    return answer


@watched(JOB)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Lambda's entry point. Raises: whatever stopped the job, for the schedule to try again."""
    settings = wiring.settings()
    return application(wiring.shared_store(settings), settings, SystemClock())(event, context)
