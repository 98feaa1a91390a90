"""API Gateway as a REST API: the same routes, with keys, usage plans and a firewall. By the setting `api=rest`.

What reads the market needs a key of a usage plan; what pushes or runs jobs has keys of its own, and health has none.
"""

import json
from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_wafv2 as waf
from constructs import Construct

from infra.catalog import DEFAULT_PATH, ROUTES, Route
from infra.parts.http_door import ACCESS_LOG
from infra.parts.logs import log_group
from infra.settings import DeploySettings

STAGE = "live"
REQUESTS_OF_ADDRESS_MAX = 6_000
"""In five minutes, from one address: twenty a second."""


class RestDoor(Construct):
    """The API; `domain` is its host, and `origin_path` what stands before every path of it."""

    def __init__(
        self, scope: Construct, name: str, *, settings: DeploySettings, functions: Mapping[str, lambda_.Function]
    ) -> None:
        super().__init__(scope, name)
        self._integrations = {
            name: apigateway.LambdaIntegration(function, allow_test_invoke=False, scope_permission_to_method=False)
            for name, function in functions.items()
        }
        self.api = self._api(settings)
        for route in ROUTES:
            self._route(route)
        self._usage_plan(settings)
        self._firewall()
        self.domain = f"{self.api.rest_api_id}.execute-api.{self.api.stack.region}.{self.api.stack.url_suffix}"
        self.origin_path = f"/{STAGE}"

    def _api(self, settings: DeploySettings) -> apigateway.RestApi:
        logs = log_group(self, "AccessLog", days=settings.log_days)
        return apigateway.RestApi(
            self,
            "Api",
            description="Market Data Engine",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            cloud_watch_role=False,  # an account has one, and it is the account's to make
            binary_media_types=["application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"],
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE,
                throttling_rate_limit=settings.requests_a_second,
                throttling_burst_limit=settings.requests_burst,
                access_log_destination=apigateway.LogGroupLogDestination(logs),
                access_log_format=apigateway.AccessLogFormat.custom(json.dumps(ACCESS_LOG)),
            ),
        )

    def _route(self, route: Route) -> None:
        everything = route.path == DEFAULT_PATH
        path = "/{proxy+}" if everything else route.path
        resource = self.api.root.resource_for_path(path)
        resource.add_method(
            route.method, self._integrations[route.function], api_key_required=not everything and needs_key(route)
        )
        if everything:
            self.api.root.add_method(route.method, self._integrations[route.function])

    def _usage_plan(self, settings: DeploySettings) -> None:
        plan = self.api.add_usage_plan(
            "UsagePlan",
            throttle=apigateway.ThrottleSettings(
                rate_limit=settings.requests_a_second, burst_limit=settings.requests_burst
            ),
            quota=apigateway.QuotaSettings(limit=settings.requests_a_day_of_key, period=apigateway.Period.DAY),
        )
        plan.add_api_stage(stage=self.api.deployment_stage)
        key = self.api.add_api_key("FirstKey", description="The first reader's key; its value is AWS's and not here.")
        plan.add_api_key(key)
        cdk.CfnOutput(self, "FirstKeyId", value=key.key_id)

    def _firewall(self) -> None:
        rules = [
            _managed("AWSManagedRulesAmazonIpReputationList", 1),
            _managed("AWSManagedRulesKnownBadInputsRuleSet", 2),
        ]
        acl = waf.CfnWebACL(
            self,
            "Firewall",
            scope="REGIONAL",
            default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_visible("Firewall"),
            rules=[*rules, _pace(3)],
        )
        waf.CfnWebACLAssociation(
            self, "FirewallOfStage", resource_arn=self.api.deployment_stage.stage_arn, web_acl_arn=acl.attr_arn
        )


def needs_key(route: Route) -> bool:
    """Whether a reader must show a key of a usage plan."""
    return route.function == "api" and "/health" not in route.path


def _managed(name: str, priority: int) -> waf.CfnWebACL.RuleProperty:
    group = waf.CfnWebACL.ManagedRuleGroupStatementProperty(vendor_name="AWS", name=name)
    return waf.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        override_action=waf.CfnWebACL.OverrideActionProperty(none={}),
        statement=waf.CfnWebACL.StatementProperty(managed_rule_group_statement=group),
        visibility_config=_visible(name),
    )


def _pace(priority: int) -> waf.CfnWebACL.RuleProperty:
    statement = waf.CfnWebACL.RateBasedStatementProperty(limit=REQUESTS_OF_ADDRESS_MAX, aggregate_key_type="IP")
    return waf.CfnWebACL.RuleProperty(
        name="Pace",
        priority=priority,
        action=waf.CfnWebACL.RuleActionProperty(block={}),
        statement=waf.CfnWebACL.StatementProperty(rate_based_statement=statement),
        visibility_config=_visible("Pace"),
    )


def _visible(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )
