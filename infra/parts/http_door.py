"""API Gateway as an HTTP API: the routes of the catalog, throttled and logged. A dollar a million requests."""

import json
from collections.abc import Mapping

from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.catalog import DEFAULT_PATH, ROUTES, Route
from infra.parts.logs import log_group
from infra.settings import DeploySettings

ACCESS_LOG = {
    "request": "$context.requestId",
    "time": "$context.requestTimeEpoch",
    "route": "$context.routeKey",
    "path": "$context.path",  # without the query, which a caller may have put a key into
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "milliseconds": "$context.responseLatency",
    "address": "$context.identity.sourceIp",
    "fault": "$context.integrationErrorMessage",
}


class HttpDoor(Construct):
    """The API; `domain` is its host, and `origin_path` what stands before every path of it."""

    def __init__(
        self, scope: Construct, name: str, *, settings: DeploySettings, functions: Mapping[str, lambda_.Function]
    ) -> None:
        super().__init__(scope, name)
        self.api = apigateway.HttpApi(self, "Api", create_default_stage=False, description="Market Data Engine")
        self._integrations = {
            name: integrations.HttpLambdaIntegration(
                name,
                function,
                payload_format_version=apigateway.PayloadFormatVersion.VERSION_2_0,
                # One permission a function: with one a route, forty routes outgrow the 20 kB that a function may have.
                scope_permission_to_route=False,
            )
            for name, function in functions.items()
        }
        for route in ROUTES:
            self._route(route)
        self._stage(settings)
        self.domain = f"{self.api.api_id}.execute-api.{self.api.stack.region}.{self.api.stack.url_suffix}"
        self.origin_path = ""

    def _route(self, route: Route) -> None:
        method = apigateway.HttpMethod[route.method]
        everything = route.path == DEFAULT_PATH
        apigateway.HttpRoute(
            self,
            f"{route.method} {route.path}".replace("/", "_"),
            http_api=self.api,
            route_key=apigateway.HttpRouteKey.DEFAULT
            if everything
            else apigateway.HttpRouteKey.with_(route.path, method),
            integration=self._integrations[route.function],
        )

    def _stage(self, settings: DeploySettings) -> None:
        logs = log_group(self, "AccessLog", days=settings.log_days)
        logs.grant_write(iam.ServicePrincipal("apigateway.amazonaws.com"))
        stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            detailed_metrics_enabled=False,  # a metric for each route would cost more than the routes
            throttle=apigateway.ThrottleSettings(
                rate_limit=settings.requests_a_second, burst_limit=settings.requests_burst
            ),
        )
        plain = stage.node.default_child
        assert isinstance(plain, apigateway.CfnStage)
        plain.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=logs.log_group_arn, format=json.dumps(ACCESS_LOG)
        )
