"""Market Data Engine on AWS, as a table of contents: each part is a file of infra/parts."""

import aws_cdk as cdk
from constructs import Construct

from infra.parts.access_logs import AccessLogs
from infra.parts.dashboard import Dashboard
from infra.parts.dead_letters import DeadLetters
from infra.parts.exports import Exports
from infra.parts.feed import Feed
from infra.parts.functions import Functions
from infra.parts.http_door import HttpDoor
from infra.parts.live_gateway import LiveGateway
from infra.parts.rest_door import RestDoor
from infra.parts.schedules import Schedules
from infra.parts.secrets import Secrets
from infra.parts.watching import Watching
from infra.settings import DeploySettings


class MarketData(cdk.Stack):
    """Everything, in the order in which it leans on what is above it."""

    def __init__(self, scope: Construct, *, settings: DeploySettings) -> None:
        super().__init__(scope, settings.stack_name, description="Market Data Engine: unbroken, proven candles.")
        secrets = Secrets(self, "Secrets", sources=settings.sources)
        dead_letters = DeadLetters(self, "DeadLetters").queue
        access_logs = AccessLogs(self, "AccessLogs", days=settings.log_days).bucket
        exports = (
            Exports(self, "Exports", days=settings.export_days, access_logs=access_logs) if settings.exports else None
        )
        functions = Functions(
            self, "Functions", settings=settings, secrets=secrets, dead_letters=dead_letters, exports=exports
        ).by_name
        Schedules(self, "Schedules", settings=settings, functions=functions, dead_letters=dead_letters)
        door = RestDoor if settings.api == "rest" else HttpDoor
        api = door(self, "Api", settings=settings, functions=functions)
        feed = Feed(self, "Feed", settings=settings, secrets=secrets)
        stream = (
            LiveGateway(self, "LiveGateway", settings=settings, feed=feed).balancer if settings.live_gateway else None
        )
        dashboard = Dashboard(
            self, "Dashboard", settings=settings, api=api, stream=stream, access_logs=access_logs, secrets=secrets
        )
        Watching(self, "Watching", settings=settings, functions=functions, dead_letters=dead_letters, api=api)
        self._outputs(settings, api, feed, dashboard)

    def _outputs(self, settings: DeploySettings, api: HttpDoor | RestDoor, feed: Feed, dashboard: Dashboard) -> None:
        address = settings.domain_name or dashboard.distribution.domain_name
        cdk.CfnOutput(self, "Address", value=f"https://{address}", description="The dashboard, and the API behind it.")
        cdk.CfnOutput(self, "ApiAddress", value=f"https://{api.domain}{api.origin_path}")
        cdk.CfnOutput(self, "FeedCluster", value=feed.cluster.cluster_name)
        cdk.CfnOutput(self, "FeedServices", value=",".join(service.service_name for service in feed.services))
