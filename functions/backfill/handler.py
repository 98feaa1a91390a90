"""Order the history of new instruments, and fill gaps of the ledger from the exchanges, newest first. Every minute.

Nobody waits for it, so that it goes on looking for new gaps for as long as its time lasts.

Event (from EventBridge Scheduler, or the local one): {"job": "backfill", "time": "2026-08-09T21:05:00Z"}
Answer: {"status": "success", "job": "backfill",
         "result": {"ordered": [], "claimed": 3, "filled": 2, "candles": 64, ...},
         "started_at": "...", "completed_at": "...", "trigger": "schedule"}
"""

from datetime import timedelta
from typing import Any

from marketdata import wiring
from marketdata.clock import Clock, SystemClock
from marketdata.jobs.run_job import run_job, scheduled_time
from marketdata.observe import Handler, logger, watched
from marketdata.store.store import Store
from marketdata.wiring import Settings

JOB = "backfill"
# The last request waits for its turn and its answer, and what it brought is written, before Lambda cuts it off.
MARGIN = timedelta(seconds=25)


def application(store: Store, settings: Settings, clock: Clock) -> Handler:
    """The scheduled job over `store`."""
    jobs = wiring.jobs(settings, store, watching=True)

    def answer(event: dict[str, Any], context: Any) -> dict[str, Any]:
        deadline = clock.now() + timedelta(milliseconds=context.get_remaining_time_in_millis()) - MARGIN
        run = run_job(
            JOB,
            store,
            clock,
            deadline,
            trigger="schedule",
            jobs=jobs,
            scheduled_time=scheduled_time(event),
        )
        logger.info("backfill done", extra={"job": JOB, "result": run.result})
        return run.document()

    return answer


@watched(JOB)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Lambda's entry point. Raises: whatever stopped the job, for the schedule to try again."""
    settings = wiring.settings()
    return application(wiring.shared_store(settings), settings, SystemClock())(event, context)
