"""What every function that a schedule starts shares: its time, its run on the list of runs, its line in the log.

A function names its job; `entry_point` composes it on its first event.
"""

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

from marketdata import wiring
from marketdata.clock import Clock, SystemClock
from marketdata.errors import Unconfigured
from marketdata.jobs.run_job import run_job, scheduled_time
from marketdata.observe import Handler, count, logger, watched
from marketdata.settings import Settings
from marketdata.store.store import Store

Application = Callable[[Store, Settings, Clock], Handler]
"""A function over a store, as `settings` say."""


def job_application(
    job: str, *, margin: timedelta, watching: bool = False, counted: Collection[str] = ()
) -> Application:
    """The scheduled job of that name.

    `margin`: what has begun when the job's time is over must end within it, before Lambda cuts it off. `watching`: see
    wiring.jobs. `counted`: what of the result becomes metrics.
    """

    def application(store: Store, settings: Settings, clock: Clock) -> Handler:
        jobs = wiring.jobs(settings, store, watching=watching)

        def answer(event: dict[str, Any], context: Any) -> dict[str, Any]:
            deadline = clock.now() + timedelta(milliseconds=context.get_remaining_time_in_millis()) - margin
            time = scheduled_time(event)
            run = run_job(job, store, clock, deadline, trigger="schedule", jobs=jobs, scheduled_time=time)
            for name in counted:
                value = run.result.get(name)
                if isinstance(value, int):
                    count(f"{job}_{name}", value)
            logger.info("job done", extra={"job": job, "result": run.result})
            return run.document()

        return answer

    return application


def entry_point(job: str, application: Application) -> Handler:
    """Lambda's entry point; without settings yet it says so. Raises: whatever stopped the job, for another try."""

    @watched(job)
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        try:
            settings = wiring.settings()
        except Unconfigured as error:
            # A deployment is made before its secrets are known. Failing each minute would only fill the dead letters.
            logger.warning("nothing to do yet", extra={"job": job, "reason": str(error)})
            return {"status": "unconfigured", "job": job, "reason": str(error)}
        return application(wiring.shared_store(settings), settings, SystemClock())(event, context)

    return handler
