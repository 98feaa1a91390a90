"""What the tests of the deployment share: the cloud assembly of the defaults, and of everything that can be chosen.

They run in the construction kit's own environment (`make test-infra`); elsewhere there is nothing to collect.
"""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from infra.settings import DeploySettings

collect_ignore_glob = [] if find_spec("aws_cdk") else ["test_*.py"]

DEFAULTS = DeploySettings()
EVERYTHING = DeploySettings(
    api="rest",
    live_gateway=True,
    live_gateways=2,
    feed_shards=2,
    exports=True,
    sources=("oanda", "coingecko"),
    coingecko_ids="BTC=bitcoin",
    alert_email="operator@example.com",
    domain_name="market.example.com",
    certificate_arn="arn:aws:acm:us-east-1:123456789012:certificate/0",
)


@dataclass(frozen=True)
class Assembly:
    """What `cdk synth` wrote, and what the rules said of it."""

    settings: DeploySettings
    folder: Path
    report: dict[str, Any]

    @property
    def template_file(self) -> Path:
        return self.folder / f"{self.settings.stack_name}.template.json"

    @property
    def template(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.template_file.read_text())
        return found

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of every resource of that kind, by logical id."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.template["Resources"].items()
            if resource["Type"] == kind
        }


@pytest.fixture(scope="session")
def defaults() -> Iterator[Assembly]:
    """The assembly of a deployment that chooses nothing."""
    yield from _assembled(DEFAULTS)


@pytest.fixture(scope="session")
def everything() -> Iterator[Assembly]:
    """The assembly of a deployment that chooses every optional part."""
    yield from _assembled(EVERYTHING)


@pytest.fixture(scope="session")
def feed_serving() -> Iterator[Assembly]:
    """The assembly of a deployment whose feed serves the stream's clients itself."""
    yield from _assembled(DeploySettings(live_gateway=True))


@pytest.fixture(params=["defaults", "everything"])
def either(request: pytest.FixtureRequest) -> Assembly:
    """One after the other: what holds of every deployment."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Assembly)
    return found


def _assembled(settings: DeploySettings) -> Iterator[Assembly]:
    from aws_cdk import Validations
    from cdk_nag import AwsSolutionsChecks, ServerlessChecks

    from infra.app import build

    with tempfile.TemporaryDirectory() as folder:
        app = build(settings, outdir=folder)
        Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))
        try:
            app.synth()
        except RuntimeError as error:
            if "ValidationFailed" not in str(error):  # which rules are broken, the rules' own test says
                raise
        report = Path(folder, "validation-report.json")
        yield Assembly(settings, Path(folder), json.loads(report.read_text()))
