"""The routes that tell of the whole: metadata and metrics; and gaps, symbols, status, health as others called them.

What makes their answers is imported with the first question: hardly any cold start is about one of them.
"""

from aws_lambda_powertools.event_handler import Response

from marketdata.jobs.query_gaps import find_gap_page
from marketdata.routes.desk import Desk
from marketdata.serve.gaps_json import plain_gaps_body
from marketdata.serve.gateway_events import parameters
from marketdata.serve.operation import JSON, Answer, declared
from marketdata.serve.params import METADATA, PLAIN_GAPS, metadata_query, no_parameters, plain_gap_query
from marketdata.serve.representation import next_link

_PROMETHEUS_MEDIA = ("text/plain",)


def add_reports(desk: Desk) -> None:
    """/v1/metadata, and metrics as a list and for Prometheus."""
    app, store, clock = desk.app, desk.store, desk.clock

    @app.get("/v1/metadata")
    @declared(
        "metadata", "What is held, from when to when.", "jobs.report_holdings.Metadata", METADATA, refusals=(413,)
    )
    def metadata() -> Response[str]:
        from marketdata.jobs.report_holdings import report_metadata  # noqa: PLC0415

        query = metadata_query(parameters(desk.event))
        return Response(200, JSON, report_metadata(store, desk.instruments, clock.now(), query))

    @declared("metrics", "Figures to watch the whole by.", "serve.metrics.MetricList")
    def metrics() -> Response[str]:
        from marketdata.jobs.report_metrics import report_metrics  # noqa: PLC0415
        from marketdata.serve.metrics import metrics_json  # noqa: PLC0415

        no_parameters(parameters(desk.event))
        now = clock.now()
        return Response(200, JSON, metrics_json(report_metrics(store, now), now))

    for path in ("/v1/metrics", "/api/metrics"):
        app.get(path)(metrics)

    @app.get("/metrics")
    @declared("prometheus", "The same for Prometheus.", Answer("serve.metrics.MetricList", media=_PROMETHEUS_MEDIA))
    def prometheus() -> Response[str]:
        from marketdata.jobs.report_metrics import report_metrics  # noqa: PLC0415
        from marketdata.serve.metrics import PROMETHEUS, metrics_text  # noqa: PLC0415

        no_parameters(parameters(desk.event))
        return Response(200, PROMETHEUS, metrics_text(report_metrics(store, clock.now())))


def add_old_reports(desk: Desk) -> None:
    """What other services called theirs: /gaps, /symbols, /status, /api/metadata."""
    app, store, instruments, clock = desk.app, desk.store, desk.instruments, desk.clock

    @app.get("/gaps")
    @declared("plain_gaps", "Gaps as a bare list.", Answer("serve.gaps_json.PlainGaps", headers=("Link",)), PLAIN_GAPS)
    def gaps() -> Response[str]:
        page = find_gap_page(store, instruments, desk.cursors, plain_gap_query(parameters(desk.event)))
        link = next_link(desk.event["rawPath"], desk.event.get("rawQueryString") or "", page.next_cursor)
        return Response(200, JSON, plain_gaps_body(page.gaps), headers={"Link": link} if link else {})

    @app.get("/symbols")
    @declared("symbols", "The symbols that are followed, by exchange.", "jobs.report_holdings.SymbolsByExchange")
    def symbols() -> Response[str]:
        from marketdata.jobs.report_holdings import list_symbols  # noqa: PLC0415

        no_parameters(parameters(desk.event))
        return Response(200, JSON, list_symbols(instruments.all()))

    @app.get("/status")
    @declared("ingestion", "Each timeframe of each symbol.", "jobs.report_holdings.IngestionStatuses", refusals=(413,))
    def status() -> Response[str]:
        from marketdata.jobs.report_holdings import report_ingestion  # noqa: PLC0415

        no_parameters(parameters(desk.event))
        return Response(200, JSON, report_ingestion(store, instruments, clock.now()))

    shapes = Answer("jobs.report_holdings.UnixMetadataAnswer")

    @app.get("/api/metadata")
    @declared("unix_metadata", "From when to when there is data.", shapes, METADATA, refusals=(413,))
    def metadata() -> Response[str]:
        from marketdata.jobs.report_holdings import report_unix_metadata  # noqa: PLC0415

        query = metadata_query(parameters(desk.event))
        return Response(200, JSON, report_unix_metadata(store, instruments, clock.now(), query))


def add_health(desk: Desk) -> None:
    """Whether the process lives, and whether it reaches its store, under every name that probes know."""

    @declared("health_live", "The process answers.", "serve.shapes.Health")
    def live() -> Response[str]:
        return Response(200, JSON, '{"status":"live"}')

    @declared("health_ready", "The store answers too.", "serve.shapes.Health")
    def ready() -> Response[str]:
        desk.store.ping()
        return Response(200, JSON, '{"status":"ready"}')

    @desk.app.get("/health")
    @declared("health", "Process and store answer.", "serve.shapes.PlainHealth")
    def health() -> Response[str]:
        desk.store.ping()
        return Response(200, JSON, '{"status":"ok"}')

    for path in ("/v1/health/live", "/api/v1/health/liveness"):
        desk.app.get(path)(live)
    for path in ("/v1/health/ready", "/api/v1/health/readiness"):
        desk.app.get(path)(ready)
