"""The feed on Fargate: one small task that is always there, in a network without a way in.

A deployment overlaps: the new task is healthy once it is subscribed and its first candle is merged, and only then is
the old one told to stop, which it does once it hears the new one in the store; the merge rule of the store makes two
feeds as good as one.
"""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from infra import bundle
from infra.needs import FEED
from infra.parts.live_ring import LiveRing
from infra.parts.logs import log_group
from infra.parts.secrets import Secrets
from infra.settings import DeploySettings

PORT = 8080
USER = "10001"
STOP_SECONDS_MAX = 120
"""The longest that Fargate waits between asking a task to stop and ending it."""
HANDOVER_SECONDS_MAX = 100
"""So long of it a feed waits for its successor to be heard; the rest is for its last flush."""


class Feed(Construct):
    """`services`, one for each shard, in `network`, without any way in but what someone lets in through `door`."""

    def __init__(self, scope: Construct, name: str, *, settings: DeploySettings, secrets: Secrets) -> None:
        super().__init__(scope, name)
        self._settings, self._secrets = settings, secrets
        self.network = _network(self)
        self.ring = _ring(self, settings, self.network)
        """Between this and the gateways, where there are gateways by themselves."""
        self.door = ec2.SecurityGroup(
            self, "Door", vpc=self.network, description="Out to the exchanges and the store; nobody in."
        )
        if self.ring is not None:
            self.ring.let_in(self.door, "feeds")
        self.cluster = ecs.Cluster(
            self, "Cluster", vpc=self.network, container_insights_v2=ecs.ContainerInsights.DISABLED
        )
        self.logs = log_group(self, "Log", days=settings.log_days)
        self.image = ecs.ContainerImage.from_asset(
            str(context := bundle.feed_context()),
            platform=ecr_assets.Platform.LINUX_ARM64,
            asset_name="market-data-feed",
            extra_hash=bundle.content_key(context),
        )
        self.services = [self._service(shard) for shard in range(settings.feed_shards)]

    @property
    def _serves(self) -> bool:
        """Whether the balancer comes to the feed itself."""
        return self._settings.live_gateway and self.ring is None

    def _service(self, shard: int) -> ecs.FargateService:
        return ecs.FargateService(
            self,
            f"Service{shard or ''}",
            cluster=self.cluster,
            task_definition=self._task(shard),
            desired_count=1,
            # A public address instead of a NAT gateway, which would cost as much as everything else together.
            assign_public_ip=True,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
            security_groups=[self.door],
            min_healthy_percent=100,
            max_healthy_percent=200,
            circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
            health_check_grace_period=cdk.Duration.minutes(5) if self._serves else None,
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )

    def _task(self, shard: int) -> ecs.FargateTaskDefinition:
        settings = self._settings
        task = arm_task(self, f"Task{shard or ''}", cpu=settings.feed_cpu, megabytes=settings.feed_memory_megabytes)
        # Process 1 has no default for SIGTERM: this init passes it on, before Python listens too.
        init = ecs.LinuxParameters(self, f"Init{shard or ''}", init_process_enabled=True)
        task.add_container(
            "feed",
            image=self.image,
            user=USER,
            readonly_root_filesystem=True,
            linux_parameters=init,
            environment=self._environment(shard),
            secrets=self._secret_environment(),
            port_mappings=[ecs.PortMapping(container_port=PORT)],
            stop_timeout=cdk.Duration.seconds(STOP_SECONDS_MAX),
            # A fault in the process starts it again in its place; an end on purpose makes a new task, with new secrets.
            enable_restart_policy=True,
            restart_ignored_exit_codes=[0],
            restart_attempt_period=cdk.Duration.seconds(60),
            health_check=ecs.HealthCheck(
                command=["CMD", "python", "-m", "feed.health_check"],
                interval=cdk.Duration.seconds(10),
                timeout=cdk.Duration.seconds(5),
                retries=3,
                start_period=cdk.Duration.seconds(300),  # a quiet market's first trade may be minutes away
            ),
            logging=ecs.LogDrivers.aws_logs(
                stream_prefix="feed",
                log_group=self.logs,
                mode=ecs.AwsLogDriverMode.NON_BLOCKING,  # a slow log must not slow the feed
                max_buffer_size=cdk.Size.mebibytes(25),
            ),
        )
        return task

    def _environment(self, shard: int) -> Mapping[str, str]:
        settings = self._settings
        given = {
            "LOG_LEVEL": settings.log_level,
            "FEED_HOST": "0.0.0.0" if self._serves else "127.0.0.1",  # noqa: S104 - inside its own network
            "FEED_PORT": str(PORT),
            "FEED_EXCHANGES": ",".join(settings.feed_exchanges),
            "FEED_SHARD": f"{shard + 1}/{settings.feed_shards}" if settings.feed_shards > 1 else "",
            "KEEP_TICKS": str(settings.keep_ticks).lower(),
            "REDIS_URL": self.ring.url if self.ring is not None else "",
            "FEED_IDLE_UNCONFIGURED": "true",
            "FEED_HANDOVER_SECONDS": str(HANDOVER_SECONDS_MAX),
        }
        return {name: value for name, value in given.items() if value}

    def _secret_environment(self) -> Mapping[str, ecs.Secret]:
        return {
            field: ecs.Secret.from_secrets_manager(secret, field)
            for name in FEED.secrets
            for secret in self._secrets.of([name])
            for field in self._secrets.fields[name]
        }


def _ring(scope: Construct, settings: DeploySettings, network: ec2.Vpc) -> LiveRing | None:
    if not settings.live_gateways:
        return None
    return LiveRing(scope, "Ring", network=network, node=settings.live_ring_node)


def arm_task(scope: Construct, name: str, *, cpu: int, megabytes: int) -> ecs.FargateTaskDefinition:
    """A task of the kind that all of ours are."""
    return ecs.FargateTaskDefinition(
        scope,
        name,
        cpu=cpu,
        memory_limit_mib=megabytes,
        runtime_platform=ecs.RuntimePlatform(
            cpu_architecture=ecs.CpuArchitecture.ARM64, operating_system_family=ecs.OperatingSystemFamily.LINUX
        ),
    )


def _network(scope: Construct) -> ec2.Vpc:
    return ec2.Vpc(
        scope,
        "Network",
        max_azs=2,
        nat_gateways=0,
        subnet_configuration=[ec2.SubnetConfiguration(name="public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=24)],
        # The default group is nobody's here; emptying it would take a function that may change every group.
        restrict_default_security_group=False,
    )
