"""The route of alerts: what fires, what fired, and who was told."""

from aws_lambda_powertools.event_handler import Response

from marketdata.routes.desk import Desk
from marketdata.serve.alert_params import ALERTS, alert_query
from marketdata.serve.gateway_events import parameters
from marketdata.serve.operation import JSON, declared


def add_alerts(desk: Desk) -> None:
    """/v1/alerts, with the deliveries of each."""

    @desk.app.get("/v1/alerts")
    @declared("alerts", "Alerts and what became of telling them.", "serve.alerts_json.Alerts", ALERTS)
    def alerts() -> Response[str]:
        # Imported with the first question: what alerts are made of is a twentieth of a cold start.
        from marketdata.jobs.query_alerts import query_alerts  # noqa: PLC0415

        query = alert_query(parameters(desk.event))
        return Response(200, JSON, query_alerts(desk.store, desk.instruments, desk.cursors, desk.clock, query))
