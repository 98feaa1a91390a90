"""Where the dashboard's distribution and the buckets write who asked for what; a month long."""

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3
from constructs import Construct


class AccessLogs(Construct):
    """`bucket`, which logs nothing itself: it would fill itself with its own writing."""

    def __init__(self, scope: Construct, name: str, *, days: int) -> None:
        super().__init__(scope, name)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.OBJECT_WRITER,  # CloudFront writes as itself, and hands over by an ACL
            lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(days))],
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
