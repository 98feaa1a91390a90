"""What `cdk` runs: settings, one stack of them, and the rules that it is held to.

    python -m infra.app

The command line names the account and the region; without credentials it is made all the same, for any account.
"""

import os
import sys

import aws_cdk as cdk

from infra.acknowledgements import acknowledge, acknowledgements_of
from infra.settings import DeploymentInvalid, DeploySettings, settings_from
from infra.stack import MarketData

CONTEXT = "marketdata"
"""Where cdk.json keeps the settings; `-c name=value` on the command line is over it."""


def build(settings: DeploySettings, *, outdir: str | None = None) -> cdk.App:
    """The construction, not yet written out."""
    app = cdk.App(analytics_reporting=False, outdir=outdir)
    _add_stack(app, settings)
    return app


def _add_stack(app: cdk.App, settings: DeploySettings) -> None:
    stack = MarketData(app, settings=settings)
    acknowledge(stack, acknowledgements_of(settings))


def main() -> int:
    """Write the cloud assembly where the command line wants it; 5 when a setting is wrong."""
    app = cdk.App(analytics_reporting=False)
    kept = app.node.try_get_context(CONTEXT) or {}
    given = {name: app.node.try_get_context(name) for name in DeploySettings.model_fields}
    try:
        settings = settings_from(
            {**kept, **{name: value for name, value in given.items() if value is not None}}, os.environ
        )
    except DeploymentInvalid as error:
        sys.stderr.write(f"{error}\n")
        return 5
    _add_stack(app, settings)
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
