"""The functions of the catalog: one runtime, one retention, one habit with what fails, only the rights of needs.py."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra import bundle
from infra.catalog import FUNCTIONS, Function
from infra.needs import NEEDS, Needs
from infra.parts.exports import Exports
from infra.parts.logs import log_group
from infra.parts.secrets import Secrets
from infra.settings import DeploySettings

RUNTIME = lambda_.Runtime.PYTHON_3_13
ARCHITECTURE = lambda_.Architecture.ARM_64
LIBRARY = "marketdata"
VENDOR = "vendor"


class Functions(Construct):
    """Every function of the catalog, by name."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        settings: DeploySettings,
        secrets: Secrets,
        dead_letters: sqs.Queue,
        exports: Exports | None,
    ) -> None:
        super().__init__(scope, name)
        self._settings, self._secrets, self._dead_letters = settings, secrets, dead_letters
        self._exports = exports
        self._layers: dict[str, lambda_.LayerVersion] = {}
        self.by_name = {function.name: self._function(function, NEEDS[function.name]) for function in FUNCTIONS}

    def _function(self, function: Function, needs: Needs) -> lambda_.Function:
        logs = log_group(self, f"{_title(function.name)}Log", days=self._settings.log_days)
        role = iam.Role(self, f"{_title(function.name)}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        logs.grant_write(role)
        made = lambda_.Function(
            self,
            _title(function.name),
            description=function.description,
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            handler="handler.handler",
            code=_asset(bundle.function_package(function.name)),
            layers=[self._layer(name) for name in (LIBRARY, VENDOR, *needs.layers)],
            role=role,
            log_group=logs,
            logging_format=lambda_.LoggingFormat.JSON,
            memory_size=function.memory_megabytes,
            timeout=cdk.Duration.seconds(function.timeout_seconds),
            reserved_concurrent_executions=self._reserved(function),
            environment=self._environment(function, needs),
            params_and_secrets=_secrets_extension(),
            dead_letter_queue=self._dead_letters,
            on_failure=destinations.SqsDestination(self._dead_letters),
            max_event_age=cdk.Duration.minutes(10),
            retry_attempts=1,
        )
        for secret in self._secrets.of(needs.secrets):
            secret.grant_read(made)
        if needs.exports and self._exports is not None:
            made.add_to_role_policy(_files(self._exports.bucket, writes="arrow" in needs.layers))
        return made

    def _reserved(self, function: Function) -> int | None:
        return function.concurrency_reserved if self._settings.reserve_concurrency else None

    def _environment(self, function: Function, needs: Needs) -> dict[str, str]:
        settings = self._settings
        given = {
            "MARKETDATA_SECRETS": cdk.Fn.join(",", [one.secret_arn for one in self._secrets.of(needs.secrets)]),
            "LOG_LEVEL": settings.log_level,
            "POWERTOOLS_SERVICE_NAME": "marketdata",
            "GAP_HISTORY_DAYS": str(settings.history_days),
            "COINGECKO_IDS": settings.coingecko_ids if "coingecko" in needs.secrets else "",
            "RUNBOOK_URL": settings.runbook_url if "alerts" in needs.secrets else "",
            "EXPORT_BUCKET": self._exports.bucket.bucket_name if needs.exports and self._exports is not None else "",
            **dict(needs.environment),
        }
        return {name: value for name, value in given.items() if value}

    def _layer(self, name: str) -> lambda_.LayerVersion:
        if name not in self._layers:
            folder = bundle.library_layer() if name == LIBRARY else bundle.packages_layer(name)
            self._layers[name] = lambda_.LayerVersion(
                self,
                f"{_title(name)}Layer",
                code=_asset(folder),
                compatible_runtimes=[RUNTIME],
                compatible_architectures=[ARCHITECTURE],
                removal_policy=cdk.RemovalPolicy.DESTROY,
            )
        return self._layers[name]


def _files(bucket: s3.Bucket, *, writes: bool) -> iam.PolicyStatement:
    """What touches exported files: who answers for them signs links to them, who writes them also takes them back."""
    writing = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"] if writes else []
    return iam.PolicyStatement(actions=["s3:GetObject", *writing], resources=[bucket.arn_for_objects("exports/*")])


def _asset(folder: Path) -> lambda_.AssetCode:
    """The folder, known by what it was made of and not by its bytes: an unchanged lock is not uploaded again."""
    key = bundle.content_key(folder)
    return lambda_.Code.from_asset(str(folder), asset_hash=key, asset_hash_type=cdk.AssetHashType.CUSTOM)


def _secrets_extension() -> lambda_.ParamsAndSecretsLayerVersion:
    """AWS's own reader of secrets beside the function: boto3 would cost 200 ms of each cold start."""
    return lambda_.ParamsAndSecretsLayerVersion.from_version(
        lambda_.ParamsAndSecretsVersions.V1_0_103,
        cache_size=10,
        log_level=lambda_.ParamsAndSecretsLogLevel.WARN,
        secrets_manager_ttl=cdk.Duration.minutes(1),  # so long a rotated key may still be the old one
    )


def _title(name: str) -> str:
    return "".join(part.title() for part in name.split("_"))
