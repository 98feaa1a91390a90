"""The routes of statistics: /v1/roi, /v1/snapshots, /v1/comparisons."""

from marketdata.jobs.query_statistics import query_statistics
from marketdata.model.statistics import MarketComparison, MarketSnapshot, RoiStatistic
from marketdata.routes.desk import Desk
from marketdata.serve.operation import JSON, declared
from marketdata.serve.router import Request, Response
from marketdata.serve.statistics_params import (
    COMPARISONS,
    ROI,
    SNAPSHOTS,
    StatisticsQuery,
    comparison_query,
    roi_query,
    snapshot_query,
)
from marketdata.store.statistics import Kind


def add(desk: Desk) -> None:
    """/v1/roi, /v1/snapshots and /v1/comparisons."""
    router, store, clock, instruments, cursors = desk.router, desk.store, desk.clock, desk.instruments, desk.cursors

    def answer(query: StatisticsQuery, kind: type[Kind]) -> Response:
        return Response(200, JSON, query_statistics(store, instruments, cursors, clock, query, kind=kind))

    @router.get("/v1/roi")
    @declared("roi", "Return and risk of markets.", "serve.shapes.RoiPage", ROI)
    def roi(request: Request) -> Response:
        return answer(roi_query(request.parameters), RoiStatistic)

    @router.get("/v1/snapshots")
    @declared("snapshots", "Markets at a moment.", "serve.shapes.SnapshotPage", SNAPSHOTS)
    def snapshots(request: Request) -> Response:
        return answer(snapshot_query(request.parameters), MarketSnapshot)

    @router.get("/v1/comparisons")
    @declared("comparisons", "Pairs of markets.", "serve.shapes.ComparisonPage", COMPARISONS)
    def comparisons(request: Request) -> Response:
        return answer(comparison_query(request.parameters), MarketComparison)
