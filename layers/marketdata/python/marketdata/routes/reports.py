"""The routes that tell of the whole: /v1/metadata, and metrics as a list and for Prometheus."""

from marketdata.jobs.report_holdings import report_metadata
from marketdata.jobs.report_metrics import report_metrics
from marketdata.routes.desk import Desk
from marketdata.serve.metrics import PROMETHEUS, metrics_json, metrics_text
from marketdata.serve.operation import JSON, Answer, declared
from marketdata.serve.params import METADATA, metadata_query, no_parameters
from marketdata.serve.router import Request, Response

_PROMETHEUS_MEDIA = ("text/plain",)


def add(desk: Desk) -> None:
    """/v1/metadata, and metrics as a list and for Prometheus."""
    router, store, clock = desk.router, desk.store, desk.clock

    @router.get("/v1/metadata")
    @declared(
        "metadata", "What is held, from when to when.", "jobs.report_holdings.Metadata", METADATA, refusals=(413,)
    )
    def metadata(request: Request) -> Response:
        query = metadata_query(request.parameters)
        return Response(200, JSON, report_metadata(store, desk.instruments, clock.now(), query))

    @declared("metrics", "Figures to watch the whole by.", "serve.metrics.MetricList")
    def metrics(request: Request) -> Response:

        no_parameters(request.parameters)
        now = clock.now()
        return Response(200, JSON, metrics_json(report_metrics(store, now), now))

    for path in ("/v1/metrics", "/api/metrics"):
        router.get(path)(metrics)

    @router.get("/metrics")
    @declared("prometheus", "The same for Prometheus.", Answer("serve.metrics.MetricList", media=_PROMETHEUS_MEDIA))
    def prometheus(request: Request) -> Response:

        no_parameters(request.parameters)
        return Response(200, PROMETHEUS, metrics_text(report_metrics(store, clock.now())))
