"""The rules of others, which the template keeps: CloudFormation's, AWS Solutions', and those for serverless."""

import subprocess
import sys
from pathlib import Path

from infra.acknowledgements import acknowledgements_of
from tests.infra.conftest import Assembly

PACKS = {"AwsSolutions", "Serverless"}
LINT = Path(sys.executable).parent / "cfn-lint"


def test_no_rule_of_cdk_nag_is_broken_without_a_reason(either: Assembly) -> None:
    broken = {
        (violation["ruleName"], place.get("constructPath"))
        for plugin in either.report["pluginReports"]
        for violation in plugin["violations"]
        for place in violation["violatingConstructs"]
    }
    assert not broken
    assert {plugin["pluginName"] for plugin in either.report["pluginReports"]} >= PACKS


def test_every_acknowledgement_is_of_a_rule_that_would_be_broken(either: Assembly) -> None:
    used = {
        violation["ruleName"]
        for plugin in either.report["pluginReports"]
        if plugin["pluginName"] in PACKS
        for violation in plugin.get("suppressedViolations", [])
    }
    assert {one.rule for one in acknowledgements_of(either.settings)} == used


def test_every_acknowledgement_says_why(either: Assembly) -> None:
    assert all(len(one.reason.split()) >= 4 for one in acknowledgements_of(either.settings))


def test_cloudformation_takes_the_template(either: Assembly) -> None:
    # W3005: the kit names dependencies twice. W3045: CloudFront hands its logs over by an access control list.
    command = [
        str(LINT),
        "--ignore-checks",
        "W3005",
        "W3045",
        "--regions",
        "us-east-1",
        "--",
        str(either.template_file),
    ]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (said.returncode, said.stdout) == (0, "")
