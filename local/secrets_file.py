"""`house.env`: what someone else needs to talk to this house - address, keys, secrets - kept from start to start."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

KEPT = ("CRON_SECRET", "INGEST_API_KEYS")
"""Made once per folder; a value in the environment wins."""


def read_environment_file(path: Path) -> dict[str, str]:
    """`NAME=value` lines; a file that is not there is empty."""
    if not path.exists():
        return {}
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, _, value in pairs}


def kept_secrets(path: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The secrets of this folder: from the environment, else as before, else new."""
    before = read_environment_file(path)
    return {name: environment.get(name) or before.get(name) or secrets.token_urlsafe(24) for name in KEPT}


def write_environment_file(path: Path, values: Mapping[str, str]) -> None:
    """Write for the owner's eyes only, whole or not at all."""
    text = "".join(f"{name}={value}\n" for name, value in values.items())
    draft = path.with_suffix(".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("# Keys to this house: whoever reads them may write its data. Made by `make up`.\n" + text)
    draft.replace(path)
