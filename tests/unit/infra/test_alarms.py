"""Alarms, and the runbook that they send their reader to."""

import pytest

from infra.alarms import NAMES
from infra.bundle import ROOT

SECTIONS = (ROOT / "docs/runbook-aws.md").read_text().split("\n## ")[1:]


@pytest.mark.parametrize("name", NAMES)
def test_an_alarm_has_its_section_with_what_to_do(name: str) -> None:
    (section,) = [one for one in SECTIONS if one.splitlines()[0] == name]
    assert all(f"**{word}**" in section for word in ("Means", "Costs", "Check", "Fix"))


def test_a_section_is_of_an_alarm() -> None:
    assert {one.splitlines()[0] for one in SECTIONS} == set(NAMES)
