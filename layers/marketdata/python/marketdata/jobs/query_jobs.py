"""Answer a question for runs of jobs. Called by the api function and by `marketdata jobs list`."""

from dataclasses import dataclass
from datetime import datetime

from marketdata.clock import Clock
from marketdata.model.job_run import JobRun
from marketdata.serve.cursor import Cursors
from marketdata.serve.jobs_json import jobs_body
from marketdata.serve.params import RunQuery
from marketdata.store.work import WorkStore


@dataclass(frozen=True, slots=True)
class RunPage:
    """Runs, newest first, as of `as_of`. `next_cursor` continues before them; None if there are no more."""

    runs: tuple[JobRun, ...]
    next_cursor: str | None
    as_of: datetime


def query_jobs(store: WorkStore, cursors: Cursors, clock: Clock, query: RunQuery) -> str:
    """One page of runs as JSON. Raises: RequestInvalid, StoreError."""
    page = find_run_page(store, cursors, clock, query)
    return jobs_body(page.runs, page.next_cursor, page.as_of)


def find_run_page(store: WorkStore, cursors: Cursors, clock: Clock, query: RunQuery) -> RunPage:
    """One page of runs. Raises: RequestInvalid, StoreError."""
    before, now = cursors.read_after(query.question, query.cursor) if query.cursor is not None else None, clock.now()
    if query.id is not None:
        found = store.runs(now=now, kind=query.kind, states=query.states, limit=1, before_id=query.id + 1)
        return RunPage(tuple(run for run in found if run.id == query.id), None, now)
    runs = store.runs(now=now, kind=query.kind, states=query.states, limit=query.limit, before_id=before)
    more = len(runs) == query.limit
    return RunPage(tuple(runs), cursors.issue_after(query.question, runs[-1].id) if more else None, now)
