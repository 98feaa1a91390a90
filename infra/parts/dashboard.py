"""The dashboard on S3 behind CloudFront, with the API behind the same origin: a page needs no address and no CORS."""

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_elasticloadbalancingv2 as balancing
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_deployment as deployment
from constructs import Construct

from infra.bundle import ROOT
from infra.catalog import DEFAULT_PATH, ROUTES
from infra.needs import EDGE, EDGE_HEADER, EDGE_SECRET
from infra.parts.http_door import HttpDoor
from infra.parts.rest_door import RestDoor
from infra.parts.secrets import Secrets
from infra.settings import DeploySettings

PAGE = ROOT / "dashboard"
STREAM_PATHS = ("/stream", "/ws")


class Dashboard(Construct):
    """`distribution`, the one public address of everything."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        settings: DeploySettings,
        api: HttpDoor | RestDoor,
        stream: balancing.ApplicationLoadBalancer | None,
        access_logs: s3.Bucket,
        secrets: Secrets,
    ) -> None:
        super().__init__(scope, name)
        self._edge = secrets.by_name[EDGE]
        bucket = self._bucket(access_logs)
        self.distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment="Market Data Engine",
            default_root_object="index.html",
            default_behavior=self._files(bucket),
            additional_behaviors=self._behaviours(api, stream),
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            price_class=cloudfront.PriceClass.PRICE_CLASS_100,
            log_bucket=access_logs,
            log_file_prefix="dashboard/",
            log_includes_cookies=False,
            **_domain(self, settings),
        )
        deployment.BucketDeployment(
            self,
            "Files",
            sources=[deployment.Source.asset(str(PAGE))],
            destination_bucket=bucket,
            distribution=self.distribution,
            distribution_paths=["/*"],
            memory_limit=256,
        )

    def _bucket(self, access_logs: s3.Bucket) -> s3.Bucket:
        return s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            server_access_logs_bucket=access_logs,
            server_access_logs_prefix="dashboard-bucket/",
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )

    def _files(self, bucket: s3.Bucket) -> cloudfront.BehaviorOptions:
        return cloudfront.BehaviorOptions(
            origin=origins.S3BucketOrigin.with_origin_access_control(bucket),
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
            cache_policy=cloudfront.CachePolicy.CACHING_OPTIMIZED,
            response_headers_policy=cloudfront.ResponseHeadersPolicy.SECURITY_HEADERS,
            compress=True,
        )

    def _behaviours(
        self, api: HttpDoor | RestDoor, stream: balancing.ApplicationLoadBalancer | None
    ) -> Mapping[str, cloudfront.BehaviorOptions]:
        origin = origins.HttpOrigin(
            api.domain,
            origin_path=api.origin_path,
            protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
            # A reference, which CloudFormation resolves: the template has no secret.
            custom_headers={EDGE_HEADER: self._edge.secret_value_from_json(EDGE_SECRET).unsafe_unwrap()},
        )
        answers = cloudfront.BehaviorOptions(
            origin=origin,
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
            allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
            cache_policy=self._as_long_as_the_answer_says(),
            # API Gateway knows itself by its own host only.
            origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
        )
        found = dict.fromkeys(path_patterns(), answers)
        if stream is not None:
            found |= dict.fromkeys(STREAM_PATHS, self._stream(stream))
        return found

    def _as_long_as_the_answer_says(self) -> cloudfront.CachePolicy:
        """Cached for what the API's own Cache-Control allows and not a second longer; never from one key to another."""
        return cloudfront.CachePolicy(
            self,
            "Answers",
            min_ttl=cdk.Duration.seconds(0),
            default_ttl=cdk.Duration.seconds(0),
            max_ttl=cdk.Duration.days(1),
            query_string_behavior=cloudfront.CacheQueryStringBehavior.all(),
            header_behavior=cloudfront.CacheHeaderBehavior.allow_list("Accept", "Authorization", "Origin", "X-Api-Key"),
            cookie_behavior=cloudfront.CacheCookieBehavior.none(),
            enable_accept_encoding_gzip=True,
            enable_accept_encoding_brotli=True,
        )

    def _stream(self, balancer: balancing.ApplicationLoadBalancer) -> cloudfront.BehaviorOptions:
        return cloudfront.BehaviorOptions(
            origin=origins.VpcOrigin.with_application_load_balancer(
                balancer,
                protocol_policy=cloudfront.OriginProtocolPolicy.HTTP_ONLY,  # it never leaves the network
                read_timeout=cdk.Duration.seconds(60),
            ),
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
            cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
            origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
            compress=False,  # it would hold events back
        )


def path_patterns() -> list[str]:
    """What CloudFront sends to the API: every path that begins as one of the catalog's does."""
    paths = [route.path.split("/")[1:] for route in ROUTES if route.path != DEFAULT_PATH]
    return sorted({f"/{parts[0]}/*" if len(parts) > 1 else f"/{parts[0]}" for parts in paths})


def _domain(scope: Construct, settings: DeploySettings) -> dict[str, Any]:
    if not settings.domain_name:
        return {}
    certificate = certificates.Certificate.from_certificate_arn(scope, "Certificate", settings.certificate_arn)
    return {
        "domain_names": [settings.domain_name],
        "certificate": certificate,
        "minimum_protocol_version": cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
    }
