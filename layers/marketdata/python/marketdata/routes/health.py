"""The routes of probes."""

from marketdata.routes.desk import Desk
from marketdata.serve.operation import JSON, declared
from marketdata.serve.router import Request, Response


def add(desk: Desk) -> None:
    """Whether the process lives, and whether it reaches its store, under every name that probes know."""

    @declared("health_live", "The process answers.", "serve.shapes.Health")
    def live(request: Request) -> Response:
        return Response(200, JSON, '{"status":"live"}')

    @declared("health_ready", "The store answers too.", "serve.shapes.Health")
    def ready(request: Request) -> Response:
        desk.store.ping()
        return Response(200, JSON, '{"status":"ready"}')

    @desk.router.get("/health")
    @declared("health", "Process and store answer.", "serve.shapes.PlainHealth")
    def health(request: Request) -> Response:
        desk.store.ping()
        return Response(200, JSON, '{"status":"ok"}')

    for path in ("/v1/health/live", "/api/v1/health/liveness"):
        desk.router.get(path)(live)
    for path in ("/v1/health/ready", "/api/v1/health/readiness"):
        desk.router.get(path)(ready)
