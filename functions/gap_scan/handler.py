"""Find what is missing and put it on the gap ledger; take off it what is held by now. Every five minutes.

Event (from EventBridge Scheduler, or the local one): {"job": "gap_scan", "time": "2026-08-09T21:05:00Z"}
Answer: {"status": "success", "job": "gap_scan",
         "result": {"drained": true, "closed": 1, "market_closed": 0, "recorded": 2, "minutes": 35, "unresolved": 2,
                    "instruments": [{"exchange": "coinbase", "symbol": "BTC-USD", "spans": 2, ...}]},
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

JOB = "gap_scan"
# What has begun when the deadline comes must end before Lambda cuts it off.
MARGIN = timedelta(seconds=15)


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
        logger.info("gap scan done", extra={"job": JOB, "result": run.result})
        return run.document()

    return answer


@watched(JOB)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Lambda's entry point. Raises: whatever stopped the job, for the schedule to try again."""
    settings = wiring.settings()
    return application(wiring.shared_store(settings), settings, SystemClock())(event, context)
