"""Gateways by themselves: the feed's image with another command, as many tasks as the clients need.

They hold no keys and write nothing: what they serve comes out of the ring, and a client that loses one of them goes on
at another.
"""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from infra.parts.feed import PORT, USER, Feed, arm_task
from infra.parts.live_ring import LiveRing
from infra.parts.logs import log_group
from infra.settings import DeploySettings

STOP_SECONDS_MAX = 30
"""Streams end within seconds of being asked (feed/live_gateway.py)."""


class LiveGateways(Construct):
    """`service`, without any way in but the balancer's."""

    def __init__(self, scope: Construct, name: str, *, settings: DeploySettings, feed: Feed, ring: LiveRing) -> None:
        super().__init__(scope, name)
        door = ec2.SecurityGroup(self, "Door", vpc=feed.network, description="The balancer in; out to the ring.")
        ring.let_in(door, "gateways")
        self.service = ecs.FargateService(
            self,
            "Service",
            cluster=feed.cluster,
            task_definition=self._task(settings, feed, ring),
            desired_count=settings.live_gateways,
            assign_public_ip=True,  # as the feed's: a NAT gateway would cost more than all of them
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
            security_groups=[door],
            min_healthy_percent=100,
            max_healthy_percent=200,
            circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
            health_check_grace_period=cdk.Duration.minutes(5),  # it reads the whole window first
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )

    def _task(self, settings: DeploySettings, feed: Feed, ring: LiveRing) -> ecs.FargateTaskDefinition:
        task = arm_task(self, "Task", cpu=settings.live_gateway_cpu, megabytes=settings.live_gateway_memory_megabytes)
        task.add_container(
            "gateway",
            image=feed.image,
            entry_point=["python", "-m", "feed.live_gateway"],
            user=USER,
            readonly_root_filesystem=True,
            linux_parameters=ecs.LinuxParameters(self, "Init", init_process_enabled=True),
            environment={
                "LOG_LEVEL": settings.log_level,
                "FEED_HOST": "0.0.0.0",  # noqa: S104 - inside its own network
                "FEED_PORT": str(PORT),
                "REDIS_URL": ring.url,
            },
            port_mappings=[ecs.PortMapping(container_port=PORT)],
            stop_timeout=cdk.Duration.seconds(STOP_SECONDS_MAX),
            logging=ecs.LogDrivers.aws_logs(
                stream_prefix="gateway",
                log_group=log_group(self, "Log", days=settings.log_days),
                mode=ecs.AwsLogDriverMode.NON_BLOCKING,
                max_buffer_size=cdk.Size.mebibytes(5),
            ),
        )
        return task
