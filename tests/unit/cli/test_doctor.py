"""`marketdata doctor` on the local Supabase: what is well is said so, and what is not comes with its fix."""

import pytest
from typer.testing import CliRunner

from cli.doctor import Finding, examine
from cli.main import application
from tests.conftest import RunningSupabase

pytestmark = pytest.mark.stack


def environment(supabase: RunningSupabase, key: str) -> dict[str, str]:
    return {"SUPABASE_URL": supabase.url, "SUPABASE_SECRET_KEY": key, "DATABASE_URL": supabase.dsn}


def by_name(found: list[Finding]) -> dict[str, Finding]:
    return {one.name: one for one in found}


def test_a_store_that_is_well_needs_no_fix(supabase: RunningSupabase) -> None:
    found = list(examine(environment(supabase, supabase.keys.secret), None))
    assert {one.name for one in found} == {"settings", "store", "role", "stranger", "clock", "row-level security"}
    assert [one for one in found if not one.well] == []


def test_a_public_key_in_the_place_of_the_secret_one_is_told(supabase: RunningSupabase) -> None:
    found = by_name(list(examine(environment(supabase, supabase.anon_key), None)))
    assert not found["role"].well
    assert "sb_secret_" in found["role"].fix


def test_a_wrong_key_is_told_and_not_shown(supabase: RunningSupabase) -> None:
    found = list(examine(environment(supabase, "sb_secret_guessed"), None))
    assert not by_name(found)["store"].well
    assert "guessed" not in str(found)


def test_a_store_that_does_not_answer_is_told() -> None:
    found = by_name(list(examine({"SUPABASE_URL": "http://127.0.0.1:9", "SUPABASE_SECRET_KEY": "k"}, None)))
    assert not found["store"].well
    assert "SUPABASE_URL" in found["store"].fix


def test_each_missing_setting_is_a_line() -> None:
    found = list(examine({}, None))
    assert [one.name for one in found] == ["setting SUPABASE_URL", "setting SUPABASE_SERVICE_ROLE_KEY"]


def test_a_deployment_that_does_not_answer_is_told() -> None:
    found = by_name(list(examine({}, "http://127.0.0.1:9/")))
    assert not found["api"].well


def test_the_command_ends_with_1_when_something_is_to_be_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "k")
    ended = CliRunner().invoke(application(["doctor"]), ["doctor"])
    assert ended.exit_code == 1
    assert "fix store: http://127.0.0.1:9 does not answer" in ended.stdout
