"""The public API: candles, gaps, coverage, statistics, jobs, instruments, status, health. API Gateway sends every GET.

Event (payload format 2.0, shortened; event.json is whole):
    {"version": "2.0", "rawPath": "/v1/candles", "queryStringParameters": {"symbol": "BTC-USD", "timeframe": "1m"},
     "headers": {...}, "requestContext": {"requestId": "...", "stage": "$default", "http": {"method": "GET", ...}}}
Answer: {"statusCode": 200, "headers": {...}, "body": "{\\"data\\":[...],\\"next_cursor\\":null,\\"meta\\":{...}}"}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from marketdata import http_function
from marketdata.clock import Clock
from marketdata.http_function import JSON, entry_point
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.query_gaps import query_gaps
from marketdata.jobs.query_jobs import query_jobs
from marketdata.jobs.query_ticks import query_history, query_ticks
from marketdata.jobs.report_coverage import report_coverage
from marketdata.jobs.report_status import list_instruments, report_status
from marketdata.observe import Handler
from marketdata.routes.alerts import add_alerts
from marketdata.routes.candles import add_candles, add_old_candles
from marketdata.routes.desk import desk
from marketdata.routes.documents import add_documents
from marketdata.routes.exports import add_exports
from marketdata.routes.reports import add_health, add_old_reports, add_reports
from marketdata.serve.cursor import Cursors
from marketdata.serve.gateway_events import parameters
from marketdata.serve.operation import declared
from marketdata.serve.params import (
    COVERAGE,
    GAPS,
    RUNS,
    coverage_query,
    gap_query,
    no_parameters,
    run_query,
)
from marketdata.serve.statistics_params import (
    COMPARISONS,
    ROI,
    SNAPSHOTS,
    StatisticsQuery,
    comparison_query,
    roi_query,
    snapshot_query,
)
from marketdata.serve.tick_params import HISTORY, TICKS, history_query, tick_query
from marketdata.settings import Settings
from marketdata.store.store import Store

if TYPE_CHECKING:
    from marketdata.store.statistics import Kind


def application(store: Store, settings: Settings, clock: Clock) -> Handler:
    """The API over `store`."""
    return http_function.application(add_routes, store, settings, clock)


def add_routes(app: APIGatewayHttpResolver, store: Store, settings: Settings, clock: Clock) -> None:
    """Add this function's routes, as infra/catalog.py lists them."""
    made = desk(app, store, settings, clock)
    instruments, cursors = made.instruments, made.cursors
    add_candles(made)
    add_old_candles(made)
    add_reports(made)
    add_old_reports(made)
    add_health(made)
    add_alerts(made)
    add_documents(app, settings)
    _add_ticks(app, store, instruments, cursors, clock)
    _add_completeness(app, store, instruments, cursors, clock)
    _add_statistics(app, store, instruments, cursors, clock)
    _add_reports(app, store, instruments, cursors, clock)
    add_exports(made, settings)


def _add_ticks(
    app: APIGatewayHttpResolver, store: Store, instruments: KnownInstruments, cursors: Cursors, clock: Clock
) -> None:
    @declared("ticks", "Ticks of a symbol, page by page.", "serve.shapes.Ticks", TICKS)
    def ticks(symbol: str) -> Response[str]:
        query = tick_query(symbol, parameters(app.current_event.raw_event))
        return _json(query_ticks(store, instruments, cursors, clock, query))

    @declared("ticks_history", "The newest candles with the mean of ten closes.", "serve.shapes.History", HISTORY)
    def history(symbol: str) -> Response[str]:
        query = history_query(symbol, parameters(app.current_event.raw_event))
        return _json(query_history(store, instruments, clock, query))

    for prefix in ("/v1", "/api/v1"):
        app.get(f"{prefix}/ticks/<symbol>")(ticks)
        app.get(f"{prefix}/ticks/<symbol>/history")(history)


def _add_completeness(
    app: APIGatewayHttpResolver, store: Store, instruments: KnownInstruments, cursors: Cursors, clock: Clock
) -> None:
    @app.get("/v1/gaps")
    @declared("gaps", "Gaps of the ledger, page by page.", "serve.gaps_json.Gaps", GAPS)
    def gaps() -> Response[str]:
        query = gap_query(parameters(app.current_event.raw_event))
        return _json(query_gaps(store, instruments, cursors, clock, query))

    @app.get("/v1/coverage")
    @declared("coverage", "Held, empty and missing, by day.", "serve.coverage_json.Coverage", COVERAGE)
    def coverage() -> Response[str]:
        query = coverage_query(parameters(app.current_event.raw_event))
        return _json(report_coverage(store, instruments, clock.now(), query).body())


def _add_statistics(
    app: APIGatewayHttpResolver, store: Store, instruments: KnownInstruments, cursors: Cursors, clock: Clock
) -> None:
    # What statistics are made of is imported with the first question for them, not with every cold start.
    def answer(query: StatisticsQuery, kind: type[Kind]) -> Response[str]:
        from marketdata.jobs.query_statistics import query_statistics  # noqa: PLC0415

        return _json(query_statistics(store, instruments, cursors, clock, query, kind=kind))

    @app.get("/v1/roi")
    @declared("roi", "Return and risk of markets.", "serve.shapes.RoiPage", ROI)
    def roi() -> Response[str]:
        from marketdata.model.statistics import RoiStatistic  # noqa: PLC0415

        return answer(roi_query(parameters(app.current_event.raw_event)), RoiStatistic)

    @app.get("/v1/snapshots")
    @declared("snapshots", "Markets at a moment.", "serve.shapes.SnapshotPage", SNAPSHOTS)
    def snapshots() -> Response[str]:
        from marketdata.model.statistics import MarketSnapshot  # noqa: PLC0415

        return answer(snapshot_query(parameters(app.current_event.raw_event)), MarketSnapshot)

    @app.get("/v1/comparisons")
    @declared("comparisons", "Pairs of markets.", "serve.shapes.ComparisonPage", COMPARISONS)
    def comparisons() -> Response[str]:
        from marketdata.model.statistics import MarketComparison  # noqa: PLC0415

        return answer(comparison_query(parameters(app.current_event.raw_event)), MarketComparison)


def _add_reports(
    app: APIGatewayHttpResolver, store: Store, instruments: KnownInstruments, cursors: Cursors, clock: Clock
) -> None:
    @app.get("/v1/jobs")
    @declared("jobs", "Runs of jobs, newest first.", "serve.jobs_json.Runs", RUNS)
    def jobs() -> Response[str]:
        query = run_query(parameters(app.current_event.raw_event))
        return _json(query_jobs(store, cursors, clock, query))

    @app.get("/v1/instruments")
    @declared("instruments", "What is followed, active or not.", "jobs.report_status.Instruments")
    def followed() -> Response[str]:
        no_parameters(parameters(app.current_event.raw_event))
        return _json(list_instruments(instruments.all()))

    @app.get("/v1/status")
    @declared("status", "Feeds, limits, and how old everything is.", "jobs.report_status.Status")
    def status() -> Response[str]:
        no_parameters(parameters(app.current_event.raw_event))
        return _json(report_status(store, clock.now()))


def _json(body: str) -> Response[str]:
    # Encoded already: to validate and encode an answer again would cost more than making it did.
    return Response(200, JSON, body)


handler = entry_point("api", application)
