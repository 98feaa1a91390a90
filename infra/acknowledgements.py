"""Every rule of cdk-nag that we do not follow, where, and why. What is not listed here stops a test.

`part` is the path in the stack below which it holds, as exact as the rule allows; `*` in it is a name that the
construction kit makes.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from aws_cdk import Acknowledgment, Stack, Validations

from infra.settings import DeploySettings

COPIER = "Custom::CDKBucketDeployment*"
"""The construction kit's own function, which copies the dashboard's files into their bucket while deploying."""

_COPIES = "the construction kit's own copier of files; it runs only while deploying, and may touch two buckets"
_PYTHON = "3.13 is the newest Python that the tests run what is shipped under"
_TRACING = "X-Ray costs as much as the functions do; log lines carry the request's id instead"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """One rule, not followed below `part`, with the reason."""

    rule: str
    part: str
    reason: str


ALWAYS: tuple[Acknowledgement, ...] = (
    Acknowledgement("AwsSolutions-L1", "Functions", _PYTHON),
    Acknowledgement("AwsSolutions-L1", COPIER, _COPIES),
    Acknowledgement("Serverless-LambdaLatestVersion", "Functions", _PYTHON),
    Acknowledgement("Serverless-LambdaLatestVersion", COPIER, _COPIES),
    Acknowledgement("Serverless-LambdaTracing", "Functions", _TRACING),
    Acknowledgement("Serverless-LambdaTracing", COPIER, _COPIES),
    Acknowledgement("Serverless-LambdaDLQ", COPIER, _COPIES),
    Acknowledgement("Serverless-SQSRedrivePolicy", "DeadLetters/Queue", "it is itself the dead letter queue"),
    Acknowledgement("AwsSolutions-CFR1", "Dashboard/Distribution", "market data is for every country"),
    Acknowledgement(
        "AwsSolutions-CFR2",
        "Dashboard/Distribution",
        "a firewall costs as much as a fifth of everything; `api=rest` has one, the HTTP API is throttled",
    ),
    Acknowledgement(
        "AwsSolutions-SMG4", "Secrets", "Supabase and the sources make these keys; docs/deploy.md rotates them"
    ),
    Acknowledgement(
        "AwsSolutions-VPC7", "Feed/Network", "one task and no way in: flow logs would cost more than it does"
    ),
    Acknowledgement(
        "AwsSolutions-ECS2", "Feed/Task*", "its plain variables hold no secret; those come from Secrets Manager"
    ),
    Acknowledgement(
        "AwsSolutions-ECS4",
        "Feed/Cluster",
        "Container Insights cost more than the task; the feed's own metrics are watched",
    ),
    Acknowledgement(
        "AwsSolutions-IAM5[Resource::*]", "Feed/Task*/ExecutionRole", "ecr:GetAuthorizationToken knows no resource"
    ),
    Acknowledgement(
        "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]",
        f"{COPIER}/ServiceRole",
        _COPIES,
    ),
    *(
        Acknowledgement(f"AwsSolutions-IAM5[Action::s3:{action}]", f"{COPIER}/ServiceRole", _COPIES)
        for action in ("Abort*", "DeleteObject*", "GetBucket*", "GetObject*", "List*")
    ),
    Acknowledgement(
        "AwsSolutions-IAM5[Resource::*]", f"{COPIER}/ServiceRole", "it clears CloudFront's cache while deploying"
    ),
    Acknowledgement("AwsSolutions-IAM5[Resource::<DashboardBucketA782FB5B.Arn>/*]", f"{COPIER}/ServiceRole", _COPIES),
    Acknowledgement(
        "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:s3:::cdk-hnb659fds-assets-<AWS::AccountId>-<AWS::Region>/*]",
        f"{COPIER}/ServiceRole",
        _COPIES,
    ),
)

HTTP: tuple[Acknowledgement, ...] = (
    Acknowledgement(
        "AwsSolutions-APIG4",
        "Api/*",
        "reads are public; what pushes or runs jobs checks a key itself, and fails closed",
    ),
)
"""Only with the HTTP API."""

REST: tuple[Acknowledgement, ...] = (
    Acknowledgement("AwsSolutions-APIG4", "Api/Api", "readers show a key of a usage plan; the others check their own"),
    Acknowledgement("AwsSolutions-COG4", "Api/Api", "there are no user pools here; Supabase knows the users"),
    Acknowledgement("AwsSolutions-APIG2", "Api/Api", "each handler validates whole requests, and says what is wrong"),
    Acknowledgement(
        "AwsSolutions-APIG6", "Api/Api", "execution logs hold what callers sent, keys too; access logs are on"
    ),
    Acknowledgement("Serverless-APIGWXrayEnabled", "Api/Api", _TRACING),
)
"""Only with the REST API."""

LIVE_GATEWAY: tuple[Acknowledgement, ...] = (
    Acknowledgement("AwsSolutions-ELB2", "LiveGateway/Balancer", "CloudFront before it logs every request already"),
    Acknowledgement(
        "AwsSolutions-EC23", "LiveGateway/Door", "it is open to its own network only, whose range is made by AWS"
    ),
)
"""Only with the live gateway."""

LIVE_GATEWAYS: tuple[Acknowledgement, ...] = (
    Acknowledgement(
        "AwsSolutions-ECS2", "LiveGateway/Gateways/Task", "its plain variables hold no secret; it is given none"
    ),
    Acknowledgement(
        "AwsSolutions-IAM5[Resource::*]",
        "LiveGateway/Gateways/Task/ExecutionRole",
        "ecr:GetAuthorizationToken knows no resource",
    ),
    Acknowledgement(
        "AwsSolutions-AEC6",
        "Feed/Ring/Valkey",
        "its door lets in feeds and gateways only; a token would have to stand in the template",
    ),
)
"""Only with gateways by themselves."""

EXPORTS: tuple[Acknowledgement, ...] = tuple(
    Acknowledgement(
        "AwsSolutions-IAM5[Resource::<ExportsBucket54D5CE64.Arn>/exports/*]",
        f"Functions/{role}",
        "files are named when they are ordered; it reaches nothing but them",
    )
    for role in ("ApiRole", "ExportRole")
)
"""Only with the bucket of exports."""

DEFAULT_NAME: tuple[Acknowledgement, ...] = (
    Acknowledgement(
        "AwsSolutions-CFR4",
        "Dashboard/Distribution",
        "CloudFront's own name has its own TLS; a domain of ours asks for 1.2",
    ),
)
"""Only without a domain of one's own."""


def acknowledgements_of(settings: DeploySettings) -> tuple[Acknowledgement, ...]:
    """Those that a deployment of these settings needs."""
    return (
        *ALWAYS,
        *(HTTP if settings.api == "http" else REST),
        *(LIVE_GATEWAY if settings.live_gateway else ()),
        *(LIVE_GATEWAYS if settings.live_gateways else ()),
        *(EXPORTS if settings.exports else ()),
        *(() if settings.domain_name else DEFAULT_NAME),
    )


def acknowledge(stack: Stack, acknowledgements: tuple[Acknowledgement, ...]) -> None:
    """Put each where it belongs. A prefixed id leaves its trace in the report; a bare one would silence unseen."""
    for construct in stack.node.find_all():
        path = construct.node.path.removeprefix(f"{stack.node.path}/")
        for one in acknowledgements:
            if _is_at(path, one.part):
                pack = one.rule.partition("-")[0]
                Validations.of(construct).acknowledge(Acknowledgment(id=f"{pack}::{one.rule}", reason=one.reason))


def _is_at(path: str, part: str) -> bool:
    """Whether the path is that part itself: a `*` stands for some of one name, and not for names below it."""
    return path.count("/") == part.count("/") and fnmatchcase(path, part)
