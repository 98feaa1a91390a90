"""`marketdata keys` on a real store: made, used, listed and revoked."""

import json

import pytest
from marketdata.clock import SystemClock
from marketdata.jobs.known_keys import KnownKeys
from marketdata.model.api_key import Scope
from marketdata.store.supabase import SupabaseStore

from tests.conftest import RunningSupabase
from tests.unit.cli.test_coverage import run

pytestmark = pytest.mark.stack


def test_a_key_is_shown_once_opens_what_it_says_and_is_revoked_by_its_beginning(
    empty_supabase: RunningSupabase,
) -> None:
    made = run(empty_supabase, "keys", "create", "ann", "--scope", "read", "--days", "30")
    assert made.returncode == 0, made.stderr
    secret = made.stdout.strip()
    assert "not shown again" in made.stderr
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    key = KnownKeys(store, SystemClock()).find(secret)
    assert key is not None
    assert (key.name, key.scope) == ("ann", Scope.READ)
    listed = run(empty_supabase, "keys", "list", "--json")
    assert [(one["prefix"], one["good"]) for one in json.loads(listed.stdout)] == [(key.prefix, True)]
    assert secret not in listed.stdout
    assert run(empty_supabase, "keys", "revoke", key.prefix).returncode == 0
    assert KnownKeys(store, SystemClock()).find(secret) is None
    shown = run(empty_supabase, "keys", "list")
    assert "revoked" in shown.stdout
    store.close()


def test_a_script_gets_the_key_as_json_and_a_wrong_beginning_is_the_caller_s_mistake(
    empty_supabase: RunningSupabase,
) -> None:
    made = json.loads(run(empty_supabase, "keys", "create", "bob", "--json").stdout)
    assert made["key"].startswith(made["prefix"])
    assert (made["scope"], made["expires_at"]) == ("ingest", None)
    assert run(empty_supabase, "keys", "revoke", "mde_nothing").returncode == 2
