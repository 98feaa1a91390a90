"""What each function is given, held against the catalog and the settings that there are."""

import re
import tomllib
from pathlib import Path

import pytest
from marketdata.serve import viewer_address
from marketdata.settings import variables

from infra.bundle import ROOT
from infra.catalog import FUNCTIONS
from infra.needs import EDGE_HEADER, FEED, NEEDS, SECRETS


def test_every_function_has_its_row() -> None:
    missing = {function.name for function in FUNCTIONS} - set(NEEDS)
    assert not missing, f"infra/needs.py lacks a row for {', '.join(sorted(missing))}: say which secrets it may read"
    assert not set(NEEDS) - {function.name for function in FUNCTIONS}


def test_every_secret_that_is_needed_exists_and_every_one_that_exists_is_needed() -> None:
    needed = {name for needs in (FEED, *NEEDS.values()) for name in needs.secrets}
    assert needed == {secret.name for secret in SECRETS}


def test_what_a_secret_holds_is_a_setting_that_someone_reads() -> None:
    held = [name for secret in SECRETS for name in secret.names]
    assert set(held) <= variables()
    assert len(held) == len(set(held))


def test_cloudfront_and_the_functions_mean_the_same_header() -> None:
    assert viewer_address.EDGE_HEADER == EDGE_HEADER


def test_a_layer_that_a_function_needs_has_its_lock() -> None:
    for name in {"vendor", *(layer for needs in NEEDS.values() for layer in needs.layers)}:
        assert "--hash=sha256:" in (ROOT / "layers" / name / "requirements.txt").read_text()


@pytest.mark.parametrize("lock", ["layers/vendor/requirements.txt", "feed/requirements.txt"])
def test_what_is_shipped_is_what_the_library_asks_for(lock: str) -> None:
    """A dependency that is new: `uv pip compile` the lock again, as docs/deploy.md says."""
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    locked = {line.partition(" ")[0] for line in Path(ROOT, lock).read_text().splitlines() if "==" in line}
    pinned = {re.sub(r"\[.*?\]", "", one.partition(";")[0]).strip() for one in asked}
    assert pinned <= locked
