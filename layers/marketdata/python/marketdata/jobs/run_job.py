"""The jobs that a schedule or an operator runs by name, in one table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from marketdata.clock import Clock
from marketdata.errors import NotFound
from marketdata.jobs.backfill import backfill
from marketdata.jobs.order_history import order_history
from marketdata.jobs.roll_up import roll_up
from marketdata.jobs.scan_gaps import gap_scan
from marketdata.model.times import rfc3339
from marketdata.store.store import Store

Job = Callable[[Store, Clock, datetime], dict[str, object]]
"""Does its work until a deadline and says what it did."""

JOBS: dict[str, Job] = {
    "roll_up": roll_up,
    "gap_scan": gap_scan,
    "order_history": order_history,
    "backfill": backfill,
}
"""Every job as it runs where nothing is set; `wiring.jobs` has them as the settings say."""


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run of a job."""

    job: str
    trigger: str
    result: dict[str, object]
    started_at: datetime
    completed_at: datetime

    def document(self) -> dict[str, object]:
        """The run as JSON shows it."""
        return {
            "status": "success",
            "job": self.job,
            "result": self.result,
            "started_at": rfc3339(self.started_at),
            "completed_at": rfc3339(self.completed_at),
            "trigger": self.trigger,
        }


def run_job(
    name: str, store: Store, clock: Clock, deadline: datetime, *, trigger: str, jobs: Mapping[str, Job] = JOBS
) -> Run:
    """Run the job of that name. Raises: NotFound naming the jobs there are; whatever the job raises."""
    if name not in jobs:
        raise NotFound("job", f"{name[:64]!r} is not a job; there are {', '.join(jobs)}", tuple(jobs))
    started_at = clock.now()
    result = jobs[name](store, clock, deadline)
    return Run(name, trigger, result, started_at, clock.now())
