"""The routes of what runs: /v1/jobs, /v1/instruments, /v1/status."""

from marketdata.jobs.query_jobs import query_jobs
from marketdata.jobs.report_status import list_instruments, report_status
from marketdata.routes.desk import Desk
from marketdata.serve.operation import JSON, declared
from marketdata.serve.params import RUNS, no_parameters, run_query
from marketdata.serve.router import Request, Response


def add(desk: Desk) -> None:
    """/v1/jobs, /v1/instruments and /v1/status."""
    router, store, clock, instruments, cursors = desk.router, desk.store, desk.clock, desk.instruments, desk.cursors

    @router.get("/v1/jobs")
    @declared("jobs", "Runs of jobs, newest first.", "serve.jobs_json.Runs", RUNS)
    def jobs(request: Request) -> Response:
        query = run_query(request.parameters)
        return Response(200, JSON, query_jobs(store, cursors, clock, query))

    @router.get("/v1/instruments")
    @declared("instruments", "What is followed, active or not.", "jobs.report_status.Instruments")
    def followed(request: Request) -> Response:
        no_parameters(request.parameters)
        return Response(200, JSON, list_instruments(instruments.all()))

    @router.get("/v1/status")
    @declared("status", "Feeds, limits, and how old everything is.", "jobs.report_status.Status")
    def status(request: Request) -> Response:
        no_parameters(request.parameters)
        return Response(200, JSON, report_status(store, clock.now()))
