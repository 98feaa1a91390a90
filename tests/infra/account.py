"""An AWS account on this machine: moto's server, taught the resource types that its CloudFormation does not know.

What the tests read back is really made, through moto's own API of that service; the rest only gets a name. It shows
that a first deployment goes through the real command line, and what it makes. It does not show that AWS takes it.
"""

import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
from moto.core.common_models import CloudFormationModel
from moto.server import ThreadedMotoServer

REGION = "us-east-1"
ACCOUNT = "123456789012"

Make = Callable[[str, dict[str, Any]], str]
"""Makes a resource of a name and properties, and tells its physical id."""

# moto knows these, but not beside what it does not know: a permission of a function that only has a stub as its caller.
_REPLACED = frozenset({"AWS::Lambda::Permission", "AWS::Lambda::Version"})


@contextmanager
def account(types: Iterable[str]) -> Iterator[Mapping[str, str]]:
    """An empty account that takes templates of these types; the environment that leads the tools of AWS to it."""
    _teach(set(types))
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    environment = {
        # By that name: moto recognises its own bucket addresses by it.
        "AWS_ENDPOINT_URL": f"http://localhost:{port}",
        "AWS_ACCESS_KEY_ID": "of-nobody",
        "AWS_SECRET_ACCESS_KEY": "of-nobody",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    os.environ.update(environment)  # the taught types call the same account
    try:
        yield environment
    finally:
        server.stop()
        for name in environment:
            os.environ.pop(name, None)


def client(service: str) -> Any:
    """A client of the account."""
    return boto3.client(service, region_name=REGION)


def _teach(types: set[str]) -> None:
    """Before moto first makes a list of the types it knows."""
    import moto.cloudformation.parsing  # noqa: F401 - brings every type that moto knows
    from moto.cloudformation.custom_model import CustomModel

    CustomModel.create_from_cloudformation_json = classmethod(_done_at_once)
    known = {model.cloudformation_type() for model in CloudFormationModel.__subclasses__()}
    unknown = sorted((types - known) | (types & _REPLACED))
    _KEPT.extend(_model(kind, _MAKERS.get(kind, lambda name, _: name)) for kind in unknown)


def _done_at_once(
    cls: Any,
    /,
    resource_name: str,
    cloudformation_json: dict[str, Any],
    account_id: str,
    region_name: str,
    **given: Any,
) -> Any:
    """A resource that a function of the template would make: nobody runs that function here, so it is made already."""
    from moto.cloudformation import cloudformation_backends

    made = cls(region_name, str(uuid.uuid4()), given["LogicalId"], resource_name)
    made.set_data({})
    cloudformation_backends[account_id][region_name].get_stack(given["StackId"]).add_custom_resource(made)
    return made


_KEPT: list[type[CloudFormationModel]] = []


def _model(kind: str, make: Make) -> type[CloudFormationModel]:
    """A type of resource for moto's CloudFormation."""

    class Model(CloudFormationModel):
        __module__ = "moto.taught"  # moto asks for a dotted name

        def __init__(self, name: str, physical_resource_id: str) -> None:
            self.name, self.physical_resource_id = name, physical_resource_id

        @staticmethod
        def cloudformation_name_type() -> str:
            return ""

        @staticmethod
        def cloudformation_type() -> str:
            return kind

        @classmethod
        def has_cfn_attr(cls, attr: str) -> bool:
            return True

        def get_cfn_attribute(self, attribute_name: str) -> str:
            return f"arn:aws:made:{REGION}:{ACCOUNT}:{kind.rsplit('::', 1)[-1]}/{self.name}/{attribute_name}"

        @classmethod
        def create_from_cloudformation_json(
            cls,
            resource_name: str,
            cloudformation_json: dict[str, Any],
            account_id: str,
            region_name: str,
            **_: Any,
        ) -> "Model":
            return cls(resource_name, make(resource_name, cloudformation_json.get("Properties", {})))

        @classmethod
        def delete_from_cloudformation_json(cls, *_: Any) -> None:
            """Nothing: an account is thrown away whole."""

        @classmethod
        def update_from_cloudformation_json(cls, original_resource: Any, *_: Any) -> Any:
            return original_resource

    Model.__name__ = kind.replace("::", "")
    return Model


def _secret(name: str, properties: dict[str, Any]) -> str:
    drawn = properties.get("GenerateSecretString")
    content = json.loads(drawn["SecretStringTemplate"]) if drawn else {}
    text = (
        json.dumps({**content, drawn["GenerateStringKey"]: uuid.uuid4().hex}) if drawn else properties["SecretString"]
    )
    made: str = client("secretsmanager").create_secret(Name=name, SecretString=text)["ARN"]
    return made


def _schedule_group(name: str, properties: dict[str, Any]) -> str:
    client("scheduler").create_schedule_group(Name=properties.get("Name", name))
    return str(properties.get("Name", name))


def _schedule(name: str, properties: dict[str, Any]) -> str:
    wanted = ("GroupName", "ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "State", "Target")
    given = {key: properties[key] for key in wanted if key in properties}
    retry = given["Target"].get("RetryPolicy", {})
    given["Target"] = {**given["Target"], "RetryPolicy": {key: int(value) for key, value in retry.items()}}
    client("scheduler").create_schedule(Name=name[-64:], **given)
    return name[-64:]


def _alarm(name: str, properties: dict[str, Any]) -> str:
    whole: dict[str, Any] = {
        key: int(properties[key]) for key in ("EvaluationPeriods", "DatapointsToAlarm", "Period") if key in properties
    }
    given: dict[str, Any] = {**properties, **whole, "Threshold": float(properties["Threshold"])}
    given.setdefault("AlarmName", name)
    client("cloudwatch").put_metric_alarm(**given)
    return str(given["AlarmName"])


def _http_api(_: str, properties: dict[str, Any]) -> str:
    made: str = client("apigatewayv2").create_api(Name=properties["Name"], ProtocolType=properties["ProtocolType"])[
        "ApiId"
    ]
    return made


def _integration(_: str, properties: dict[str, Any]) -> str:
    wanted = ("ApiId", "IntegrationType", "IntegrationUri", "PayloadFormatVersion")
    made: str = client("apigatewayv2").create_integration(**{key: properties[key] for key in wanted})["IntegrationId"]
    return made


def _route(_: str, properties: dict[str, Any]) -> str:
    wanted = ("ApiId", "RouteKey", "Target")
    made: str = client("apigatewayv2").create_route(**{key: properties[key] for key in wanted})["RouteId"]
    return made


_MAKERS: Mapping[str, Make] = {
    "AWS::SecretsManager::Secret": _secret,
    "AWS::Scheduler::ScheduleGroup": _schedule_group,
    "AWS::Scheduler::Schedule": _schedule,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::ApiGatewayV2::Api": _http_api,
    "AWS::ApiGatewayV2::Integration": _integration,
    "AWS::ApiGatewayV2::Route": _route,
}
