"""The ring of the live stream between feeds and gateways: a Valkey of two small nodes, which only they reach.

What it holds is fifteen minutes of what was published, and the store has all of it: no snapshots are kept.
"""

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from constructs import Construct

PORT = 6380
NODES = 2
"""In two zones: when one fails the other takes over, and clients are told to load afresh at the worst."""


class LiveRing(Construct):
    """`url` is what REDIS_URL says of it; it has no key, because who may not come in through `door` meets no Valkey."""

    def __init__(self, scope: Construct, name: str, *, network: ec2.Vpc, node: str) -> None:
        super().__init__(scope, name)
        self.door = ec2.SecurityGroup(
            self, "Door", vpc=network, description="Feeds and gateways in, nobody out.", allow_all_outbound=False
        )
        subnets = elasticache.CfnSubnetGroup(
            self,
            "Subnets",
            description="Where the ring of the live stream is.",
            subnet_ids=network.select_subnets(subnet_type=ec2.SubnetType.PUBLIC).subnet_ids,
        )
        valkey = elasticache.CfnReplicationGroup(
            self,
            "Valkey",
            replication_group_description="The live stream, between feeds and gateways.",
            engine="valkey",
            engine_version="8.0",
            cache_node_type=node,
            num_cache_clusters=NODES,
            automatic_failover_enabled=True,
            multi_az_enabled=True,
            transit_encryption_enabled=True,
            at_rest_encryption_enabled=True,
            auto_minor_version_upgrade=True,
            cache_subnet_group_name=subnets.ref,
            security_group_ids=[self.door.security_group_id],
            port=PORT,
        )
        self.url = f"rediss://{valkey.attr_primary_end_point_address}:{PORT}/0"

    def let_in(self, who: ec2.SecurityGroup, name: str) -> None:
        """Nobody else is."""
        self.door.add_ingress_rule(who, ec2.Port.tcp(PORT), name)
