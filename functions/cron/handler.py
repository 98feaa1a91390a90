"""Run a job now: GET or POST /v1/cron/{job} with `Authorization: Bearer CRON_SECRET`.

Event (payload format 2.0, shortened; event.json is whole):
    {"version": "2.0", "rawPath": "/v1/cron/roll_up", "pathParameters": {"job": "roll_up"},
     "headers": {"authorization": "Bearer ..."}, "requestContext": {"http": {"method": "POST", ...}, ...}}
Answer: {"status": "success", "job": "roll_up", "result": {"entries": 12, ...}, "started_at": "...",
         "completed_at": "...", "trigger": "cron"}
Whoever does not wait says `Prefer: respond-async`: then it is 202, a run that is queued, and `Location`.
Who calls again under the same `Idempotency-Key` hears the same, and no job runs. GET /api/cron computes statistics, and
answers as ingestion pipelines do (jobs/ingest_markets.py).
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from marketdata import http_function, wiring
from marketdata.clock import Clock
from marketdata.http_function import JSON, entry_point
from marketdata.jobs.answer_later import ORDERED as ORDERED_ANSWER
from marketdata.jobs.answer_later import answer_later
from marketdata.jobs.answer_once import answer_once
from marketdata.jobs.front_door import Door
from marketdata.jobs.ingest_markets import ingest_markets
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.ordered import order_job
from marketdata.jobs.run_job import ORDERED, run_job
from marketdata.model.job_run import JobRun
from marketdata.observe import Handler
from marketdata.serve.operation import Access, Answer, declared
from marketdata.serve.parameter import Text
from marketdata.serve.parameters import IDEMPOTENCY_KEY, PREFER, REPLAYED
from marketdata.serve.preference import prefers_async
from marketdata.serve.router import Request, Response, Router
from marketdata.settings import Settings
from marketdata.store.store import Store

# What a job has begun when its deadline comes must end before Lambda cuts it off.
MARGIN = timedelta(seconds=15)

JOB_RAN = Answer("serve.shapes.JobAnswer", "What the job did.", headers=(REPLAYED,))
JOB = Text("job", "The name of a job.", required=True, place="path", example="roll_up")


def application(store: Store, settings: Settings, clock: Clock) -> Handler:
    """The operator's door to the jobs over `store`."""
    return http_function.application(add_routes, store, settings, clock, Door.CRON)


def add_routes(router: Router, store: Store, settings: Settings, clock: Clock) -> None:
    """Add this function's routes, as infra/catalog.py lists them."""
    jobs, instruments = wiring.jobs(settings, store), KnownInstruments(store, clock)
    orderable = tuple(job for job in jobs if job != ORDERED)

    def once(request: Request, what: str, work: Callable[[], str]) -> Response:
        key = request.header("idempotency-key")
        document, repeated = answer_once(store, clock.now(), key, ("cron", what, b""), work)
        return Response(200, JSON, document, headers={REPLAYED: "true"} if repeated else {})

    @router.route("/v1/cron/<job>", ("GET", "POST"))
    @declared(
        "run_job", "Run a job now.", (JOB_RAN, ORDERED_ANSWER), (JOB, IDEMPOTENCY_KEY, PREFER), access=Access.CRON
    )
    def cron(request: Request, job: str) -> Response:
        def order() -> JobRun:
            return order_job(store, job, clock.now(), jobs=orderable, trigger="cron")

        if prefers_async(request.header("prefer")):
            return answer_later(store, clock, request, ("cron", job, b""), order)

        def work() -> str:
            run = run_job(job, store, clock, _deadline(clock, request.context), trigger="cron", jobs=jobs)
            return msgspec.json.encode(run.document()).decode()

        return once(request, job, work)

    @router.get("/api/cron")
    @declared("run_pipeline", "Compute statistics now.", "serve.shapes.Pipeline", access=Access.CRON)
    def pipeline(request: Request) -> Response:
        deadline = _deadline(clock, request.context)
        return Response(200, JSON, ingest_markets(store, instruments, clock, deadline, None, trigger="cron"))


def _deadline(clock: Clock, context: Any) -> datetime:
    return clock.now() + timedelta(milliseconds=context.get_remaining_time_in_millis()) - MARGIN


handler = entry_point("cron", application)
