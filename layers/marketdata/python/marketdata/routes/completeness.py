"""The routes of what is held and what is not: /v1/gaps and /v1/coverage."""

from marketdata.jobs.query_gaps import query_gaps
from marketdata.jobs.report_coverage import report_coverage
from marketdata.routes.desk import Desk
from marketdata.serve.operation import JSON, declared
from marketdata.serve.params import COVERAGE, GAPS, coverage_query, gap_query
from marketdata.serve.router import Request, Response


def add(desk: Desk) -> None:
    """/v1/gaps and /v1/coverage."""
    router, store, clock, instruments, cursors = desk.router, desk.store, desk.clock, desk.instruments, desk.cursors

    @router.get("/v1/gaps")
    @declared("gaps", "Gaps of the ledger, page by page.", "serve.gaps_json.Gaps", GAPS)
    def gaps(request: Request) -> Response:
        query = gap_query(request.parameters)
        return Response(200, JSON, query_gaps(store, instruments, cursors, clock, query))

    @router.get("/v1/coverage")
    @declared("coverage", "Held, empty and missing, by day.", "serve.coverage_json.Coverage", COVERAGE)
    def coverage(request: Request) -> Response:
        query = coverage_query(request.parameters)
        return Response(200, JSON, report_coverage(store, instruments, clock.now(), query).body())
