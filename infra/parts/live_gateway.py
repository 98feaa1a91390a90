"""A load balancer inside the network, in front of the live stream: CloudFront comes to it, and nobody else."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as balancing
from constructs import Construct

from infra.parts.feed import PORT, Feed
from infra.parts.live_gateways import LiveGateways
from infra.settings import DeploySettings

# The stream says something every 15 s (feed/gateway.py), so that a connection is never idle for so long.
IDLE_SECONDS_MAX = 60
UNHEALTHY_CHECKS = 10


class LiveGateway(Construct):
    """`balancer`, which only the dashboard's distribution reaches, over its own way into the network.

    Behind it is the feed itself, or, where the settings want some, gateways by themselves.
    """

    def __init__(self, scope: Construct, name: str, *, settings: DeploySettings, feed: Feed) -> None:
        super().__init__(scope, name)
        services = feed.services
        if feed.ring is not None:
            services = [LiveGateways(self, "Gateways", settings=settings, feed=feed, ring=feed.ring).service]
        door = ec2.SecurityGroup(
            self,
            "Door",
            vpc=feed.network,
            description="CloudFront in; out to who serves the stream.",
            allow_all_outbound=False,
        )
        # CloudFront's own interfaces are in the network, and take addresses of it.
        door.add_ingress_rule(ec2.Peer.ipv4(feed.network.vpc_cidr_block), ec2.Port.tcp(80), "CloudFront")
        self.balancer = balancing.ApplicationLoadBalancer(
            self,
            "Balancer",
            vpc=feed.network,
            internet_facing=False,
            security_group=door,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
            idle_timeout=cdk.Duration.seconds(IDLE_SECONDS_MAX),
            drop_invalid_header_fields=True,
        )
        listener = self.balancer.add_listener("Listener", port=80, open=False)
        listener.add_targets(
            "Feed",
            port=PORT,
            protocol=balancing.ApplicationProtocol.HTTP,
            targets=list(services),
            deregistration_delay=cdk.Duration.seconds(10),
            # Patient: without the ring every gateway is unready, and starting them anew would only drop their clients.
            health_check=balancing.HealthCheck(
                path="/health",
                interval=cdk.Duration.seconds(15),
                healthy_threshold_count=2,
                unhealthy_threshold_count=UNHEALTHY_CHECKS,
            ),
        )
