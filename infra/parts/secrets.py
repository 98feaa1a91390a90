"""The secrets of infra/needs.py in Secrets Manager. No value of any is in the template: people set them afterwards."""

import json
from collections.abc import Iterable
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.needs import SECRETS, Secret


class Secrets(Construct):
    """Those that every deployment has, and the optional ones of `sources`."""

    def __init__(self, scope: Construct, name: str, *, sources: Iterable[str]) -> None:
        super().__init__(scope, name)
        made = [secret for secret in SECRETS if not secret.optional or secret.name in set(sources)]
        self.fields = {secret.name: secret.names for secret in made}
        """The settings that each holds."""
        self.by_name = {secret.name: self._secret(secret) for secret in made}

    def of(self, names: Iterable[str]) -> list[secretsmanager.Secret]:
        """Those of these names that this deployment has."""
        return [self.by_name[name] for name in names if name in self.by_name]

    def _secret(self, secret: Secret) -> secretsmanager.Secret:
        made = secretsmanager.Secret(
            self,
            _title(secret.name),
            description=secret.description,
            removal_policy=cdk.RemovalPolicy.DESTROY,  # kept for thirty days even so
            **_content(secret),
        )
        cdk.CfnOutput(self, f"{_title(secret.name)}Arn", value=made.secret_arn, description=", ".join(secret.names))
        return made


def _content(secret: Secret) -> dict[str, Any]:
    """Empty fields, and one that AWS draws. A change here draws it anew, and locks out whoever has the old one."""
    if not secret.generated:
        return {"secret_object_value": {field: cdk.SecretValue.unsafe_plain_text("") for field in secret.fields}}
    drawn = secretsmanager.SecretStringGenerator(
        secret_string_template=json.dumps(dict.fromkeys(secret.fields, "")),
        generate_string_key=secret.generated,
        exclude_punctuation=True,  # a comma would make two keys of it, and a header takes no quotes
        password_length=48,
    )
    return {"generate_secret_string": drawn}


def _title(name: str) -> str:
    return name.replace("_", " ").title().replace(" ", "")
