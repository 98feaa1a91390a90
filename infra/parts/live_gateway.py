"""A load balancer inside the network, in front of the feed's live stream: CloudFront comes to it, and nobody else."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as balancing
from constructs import Construct

from infra.parts.feed import PORT, Feed

# The stream says something every 15 s (feed/gateway.py), so that a connection is never idle for so long.
IDLE_SECONDS_MAX = 60


class LiveGateway(Construct):
    """`balancer`, which only the dashboard's distribution reaches, over its own way into the network."""

    def __init__(self, scope: Construct, name: str, *, feed: Feed) -> None:
        super().__init__(scope, name)
        door = ec2.SecurityGroup(
            self, "Door", vpc=feed.network, description="CloudFront in, the feed out.", allow_all_outbound=False
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
            targets=list(feed.services),
            deregistration_delay=cdk.Duration.seconds(10),
            health_check=balancing.HealthCheck(path="/health", interval=cdk.Duration.seconds(15)),
        )
