"""Run the jobs that were ordered, oldest first: whoever ordered one asks the list of runs how it went. A job itself.

Ordered by the cron and ingest functions for callers who do not wait (RFC 7240, `Prefer: respond-async`); an order is a
run that is queued, and one that nobody begins within an hour is lost. Exports are handed over the same way.
"""

import logging
import secrets
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from marketdata.clock import Clock
from marketdata.errors import MarketDataError, NotFound, Throttled
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.recorded_run import LEASE_MARGIN, bounded, said_of
from marketdata.jobs.roi_stats import roi_stats
from marketdata.model.job_run import JobRun, RunState
from marketdata.store.store import Store

logger = logging.getLogger(__name__)

WAIT_SECONDS = 3_600.0
WAITING_MAX = 100
RETRY_SECONDS = 120
"""After so long there is room again: the job runs every two minutes."""


Job = Callable[[Store, Clock, datetime], dict[str, object]]
"""See run_job, whose table of jobs has this one too."""


def order_job(
    store: Store,
    name: str,
    now: datetime,
    *,
    jobs: Collection[str],
    trigger: str,
    arguments: Mapping[str, Any] | None = None,
) -> JobRun:
    """Put a run of that one of `jobs` into the queue. Raises: NotFound, Throttled, StoreError."""
    if name not in jobs:
        raise NotFound("job", f"{name[:64]!r} is not a job to be ordered; there are {', '.join(jobs)}", tuple(jobs))
    queued = store.order_run(
        name,
        order=f"order-{secrets.token_hex(8)}",
        now=now,
        wait_seconds=WAIT_SECONDS,
        trigger=trigger,
        arguments=arguments or {},
        waiting_max=WAITING_MAX,
    )
    if queued is None:
        raise Throttled(RETRY_SECONDS, WAITING_MAX, RETRY_SECONDS, {})
    return queued


def run_ordered(
    store: Store, clock: Clock, deadline: datetime, *, jobs: Mapping[str, Job], exclusive: Collection[str]
) -> dict[str, object]:
    """The job: run those of `jobs` that were ordered until `deadline`; of one that is `exclusive` one at a time.

    A run that fails says so on the list, and keeps no other from being begun. Raises: StoreError.
    """
    done = {"done": 0, "failed": 0}
    while clock.now() < deadline:
        run = store.claim_run(
            f"ordered-{secrets.token_hex(8)}",
            now=clock.now(),
            lease_seconds=(deadline - clock.now() + LEASE_MARGIN).total_seconds(),
            exclusive_kinds=exclusive,
        )
        if run is None:
            break
        done["done" if _run(store, clock, deadline, run, jobs) else "failed"] += 1
    return {**done}


def _run(store: Store, clock: Clock, deadline: datetime, run: JobRun, jobs: Mapping[str, Job]) -> bool:
    try:
        result = bounded(_job(jobs, store, clock, run)(store, clock, deadline))
    except Exception as error:
        logger.exception("an ordered job failed", extra={"job": run.kind, "run": run.id})
        store.finish_run(run, now=clock.now(), state=RunState.FAILED, result={}, error=said_of(error))
        return False
    if not store.finish_run(run, now=clock.now(), state=RunState.SUCCEEDED, result=result):
        logger.warning("job outlived its lease", extra={"job": run.kind})
    return True


def _job(jobs: Mapping[str, Job], store: Store, clock: Clock, run: JobRun) -> Job:
    """The job that was ordered, of the markets that its order names. Raises: NotFound, Ambiguous, StoreError."""
    if run.kind not in jobs:
        raise NotFound("job", f"{run.kind} is no job any more", tuple(jobs))
    symbols = run.arguments.get("symbols")
    if not symbols:
        return jobs[run.kind]
    if run.kind != "roi_stats":
        raise MarketDataError(f"{run.kind} is not run for some markets")
    known = KnownInstruments(store, clock)
    return partial(roi_stats, chosen=[known.find(symbol, exchange) for exchange, symbol in symbols])
