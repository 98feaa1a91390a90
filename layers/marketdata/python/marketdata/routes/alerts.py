"""The route of alerts: what fires, what fired, and who was told."""

from marketdata.jobs.query_alerts import query_alerts
from marketdata.routes.desk import Desk
from marketdata.serve.alert_params import ALERTS, alert_query
from marketdata.serve.operation import JSON, declared
from marketdata.serve.router import Request, Response


def add(desk: Desk) -> None:
    """/v1/alerts, with the deliveries of each."""

    @desk.router.get("/v1/alerts")
    @declared("alerts", "Alerts and what became of telling them.", "serve.alerts_json.Alerts", ALERTS)
    def alerts(request: Request) -> Response:
        query = alert_query(request.parameters)
        return Response(200, JSON, query_alerts(desk.store, desk.instruments, desk.cursors, desk.clock, query))
