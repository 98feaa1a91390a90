"""A person's first `cdk bootstrap` and `cdk deploy`, through the real command line, into an account on this machine."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.bundle import ROOT
from infra.catalog import DEFAULT_PATH, FUNCTIONS, ROUTES, SCHEDULES
from infra.cron import cron_expression
from tests.infra.account import ACCOUNT, REGION, account, client
from tests.infra.conftest import Assembly

CDK = ROOT / "infra/node_modules/.bin/cdk"
SECONDS_MAX = 150


@pytest.fixture(scope="module")
def tools(defaults: Assembly, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The environment of a person with credentials of an empty account."""
    docker = tmp_path_factory.mktemp("tools") / "docker"
    docker.write_text("#!/bin/sh\nexit 0\n")  # there is no engine: the image's own steps have a test of their own
    docker.chmod(0o755)
    types = {resource["Type"] for resource in defaults.template["Resources"].values()}
    with account(types) as environment:
        quiet = {"CDK_DOCKER": str(docker), "CDK_DISABLE_CLI_TELEMETRY": "true", "CI": "true"}
        yield {**os.environ, **environment, **quiet}


@pytest.fixture(scope="module")
def deployed(defaults: Assembly, tools: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the command line said, once everything is there."""
    here = tmp_path_factory.mktemp("deploy")
    run([str(CDK), "--no-notices", "bootstrap", f"aws://{ACCOUNT}/{REGION}"], tools, here)
    return deploy(defaults, tools, here)


def deploy(assembly: Assembly, environment: Mapping[str, str], folder: Path) -> str:
    """Change sets and updates are more than moto can; a first deployment it can."""
    command = [str(CDK), "--no-notices", "--app", str(assembly.folder), "deploy", "--method", "direct"]
    return run([*command, "--require-approval", "never"], environment, folder)


def run(command: list[str], environment: Mapping[str, str], folder: Path) -> str:
    """What it says on both of its outputs; it must succeed."""
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-6000:]
    return said


def test_everything_of_the_template_is_there(deployed: str, defaults: Assembly) -> None:
    stacks = client("cloudformation")
    (stack,) = stacks.describe_stacks(StackName=defaults.settings.stack_name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    made = stacks.describe_stack_resources(StackName=defaults.settings.stack_name)["StackResources"]
    assert {one["LogicalResourceId"] for one in made} == set(defaults.template["Resources"])


def test_the_person_is_told_the_address_and_no_secret(deployed: str) -> None:
    assert "MarketData.Address = https://" in deployed
    for secret in client("secretsmanager").list_secrets()["SecretList"]:
        held = json.loads(client("secretsmanager").get_secret_value(SecretId=secret["ARN"])["SecretString"])
        assert not any(value and value in deployed for value in held.values())


def test_every_function_of_the_catalog_is_there_with_its_code_and_layers(deployed: str) -> None:
    functions = client("lambda").list_functions()["Functions"]
    by_description = {one["Description"]: one for one in functions}
    for function in FUNCTIONS:
        found = by_description[function.description]
        assert (found["Handler"], found["Runtime"]) == ("handler.handler", "python3.13")
        assert found["CodeSize"] > 0


def test_every_schedule_runs_when_the_catalog_says(deployed: str) -> None:
    scheduler = client("scheduler")
    found = {}
    for one in scheduler.list_schedules()["Schedules"]:
        schedule = scheduler.get_schedule(Name=one["Name"], GroupName=one["GroupName"])
        assert schedule["Target"]["DeadLetterConfig"]["Arn"].startswith("arn:aws:sqs:")
        found[json.loads(schedule["Target"]["Input"])["job"]] = schedule["ScheduleExpression"]
    assert found == {one.job: cron_expression(one.every_minutes, one.after_minutes) for one in SCHEDULES}


def test_every_route_is_there(deployed: str) -> None:
    gateway = client("apigatewayv2")
    (api,) = gateway.get_apis()["Items"]
    keys = {one["RouteKey"] for one in gateway.get_routes(ApiId=api["ApiId"], MaxResults="500")["Items"]}
    assert keys == {route.path if route.path == DEFAULT_PATH else f"{route.method} {route.path}" for route in ROUTES}


def test_the_feed_finds_its_secrets_by_name_and_they_are_empty_at_first(deployed: str) -> None:
    containers = client("ecs")
    (arn,) = containers.list_task_definitions()["taskDefinitionArns"]
    definition = containers.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    (container,) = definition["containerDefinitions"]
    given = {one["name"]: one["valueFrom"] for one in container["secrets"]}
    assert given["SUPABASE_URL"].endswith(":SUPABASE_URL::")
    secret: dict[str, Any] = client("secretsmanager").get_secret_value(
        SecretId=given["SUPABASE_URL"].removesuffix(":SUPABASE_URL::")
    )
    held = json.loads(secret["SecretString"])
    assert (held["SUPABASE_URL"], held["SUPABASE_SECRET_KEY"]) == ("", "")
    assert len(held["CURSOR_SECRET"]) >= 32


def test_every_alarm_tells_someone(deployed: str, defaults: Assembly) -> None:
    alarms = client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert len(alarms) == len(defaults.resources("AWS::CloudWatch::Alarm"))
    assert all(one["AlarmActions"] for one in alarms)


def test_deploying_again_changes_nothing(
    deployed: str, defaults: Assembly, tools: Mapping[str, str], tmp_path: Path
) -> None:
    assert "no changes" in deploy(defaults, tools, tmp_path)
