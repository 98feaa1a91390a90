"""The bucket of exported files, where a deployment has one: private, encrypted, each file deleted after its days."""

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3
from constructs import Construct


class Exports(Construct):
    """`bucket`; files are fetched by links that are signed for a while."""

    def __init__(self, scope: Construct, name: str, *, days: int, access_logs: s3.Bucket) -> None:
        super().__init__(scope, name)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=cdk.Duration.days(days),
                    abort_incomplete_multipart_upload_after=cdk.Duration.days(1),
                )
            ],
            server_access_logs_bucket=access_logs,
            server_access_logs_prefix="exports/",
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
