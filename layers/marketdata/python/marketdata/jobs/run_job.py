"""The jobs that a schedule or an operator runs by name, in one table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from marketdata.clock import Clock
from marketdata.errors import NotFound, RequestInvalid
from marketdata.jobs.alerts import alerts
from marketdata.jobs.audit_coverage import coverage_audit
from marketdata.jobs.backfill import backfill
from marketdata.jobs.export import export
from marketdata.jobs.fetch_snapshots import fetch_snapshots
from marketdata.jobs.order_history import order_history
from marketdata.jobs.ordered import run_ordered
from marketdata.jobs.reconcile import reconcile
from marketdata.jobs.recorded_run import RecordedRun
from marketdata.jobs.roi_stats import roi_stats
from marketdata.jobs.roll_up import roll_up
from marketdata.jobs.scan_gaps import gap_scan
from marketdata.model.job_run import JobRun
from marketdata.model.times import rfc3339
from marketdata.store.store import Store

Job = Callable[[Store, Clock, datetime], dict[str, object]]
"""Does its work until a deadline and says what it did."""

ORDERED = "ordered"
"""The job that runs those that were ordered."""

OVERLAPPING = frozenset({"roll_up", "order_history", "backfill", "roi_stats", "export", "alerts", ORDERED})
"""Jobs of which several may run at once: the queue of changes has its own lock, each gap, export, message and order a
lease, and statistics are the same whoever computes them."""


def with_orders(jobs: Mapping[str, Job]) -> dict[str, Job]:
    """These jobs, and the one that runs those of them that were ordered."""
    exclusive = frozenset(jobs) - OVERLAPPING
    return {**jobs, ORDERED: partial(run_ordered, jobs=jobs, exclusive=exclusive)}


JOBS: dict[str, Job] = with_orders(
    {
        "roll_up": roll_up,
        "gap_scan": gap_scan,
        "order_history": order_history,
        "backfill": backfill,
        "reconcile": reconcile,
        "audit_coverage": coverage_audit,
        "fetch_snapshots": fetch_snapshots,
        "roi_stats": roi_stats,
        "export": export,
        "alerts": alerts,
    }
)
"""Every job as it runs where nothing is set; `wiring.jobs` has them as the settings say."""


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run of a job; `status` is success, or skipped where another run stood in its way."""

    job: str
    trigger: str
    result: dict[str, object]
    started_at: datetime
    completed_at: datetime
    status: str = "success"

    def document(self) -> dict[str, object]:
        """The run as JSON shows it."""
        return {
            "status": self.status,
            "job": self.job,
            "result": self.result,
            "started_at": rfc3339(self.started_at),
            "completed_at": rfc3339(self.completed_at),
            "trigger": self.trigger,
        }


def run_job(
    name: str,
    store: Store,
    clock: Clock,
    deadline: datetime,
    *,
    trigger: str,
    jobs: Mapping[str, Job] = JOBS,
    scheduled_time: datetime | None = None,
) -> Run:
    """Run the job of that name, and put the run on the store's list of runs.

    Skipped is one whose `scheduled_time` another run of it has done or is at, and one that may not overlap another.
    Raises: NotFound naming the jobs there are; whatever the job raises.
    """
    if name not in jobs:
        raise NotFound("job", f"{name[:64]!r} is not a job; there are {', '.join(jobs)}", tuple(jobs))
    started_at = clock.now()
    recorded = RecordedRun(
        store,
        clock,
        name,
        lease=deadline - started_at,
        trigger=trigger,
        scheduled_time=scheduled_time,
        exclusive=name not in OVERLAPPING,
    )
    if recorded.obstacle:
        return Run(name, trigger, _skipped(recorded.obstacle), started_at, clock.now(), status="skipped")
    with recorded:
        result = jobs[name](store, clock, deadline)
    recorded.succeed(result)
    return Run(name, trigger, result, started_at, clock.now())


def scheduled_time(event: Mapping[str, object]) -> datetime | None:
    """The time that a schedule's event means; None if it names none. Raises: RequestInvalid for one that is no time."""
    said = event.get("time")
    if said is None:
        return None
    try:
        time = datetime.fromisoformat(str(said))
    except ValueError as error:
        raise RequestInvalid("time", f"{str(said)[:64]!r} is not a time") from error
    if time.tzinfo is None:
        raise RequestInvalid("time", f"{str(said)[:64]!r} has no time zone")
    return time.astimezone(UTC)


def _skipped(obstacle: JobRun) -> dict[str, object]:
    return {"run": obstacle.id, "state": obstacle.state.value, "started_at": rfc3339(obstacle.started_at)}
