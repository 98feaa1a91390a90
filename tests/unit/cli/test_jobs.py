"""`marketdata jobs` on a real store, as a person and as a script reads it."""

import json
from datetime import UTC, datetime

import pytest
from marketdata.model.job_run import JobRun, RunState
from marketdata.store.supabase import SupabaseStore
from rich.console import Console

from cli.jobs import runs_table
from tests.conftest import RunningSupabase
from tests.market import MINUTE, at
from tests.unit.cli.test_coverage import run

NOON = at("12:00")


def test_each_run_is_a_line_that_says_what_came_of_it() -> None:
    ended = JobRun(
        7, "gap_scan", "w", "cron", RunState.FAILED, NOON, NOON, finished_at=NOON + MINUTE, error="coinbase: [HTTP 429]"
    )
    console = Console(width=200, no_color=True)
    with console.capture() as shown:
        console.print(runs_table([ended]))
    line = next(line for line in shown.get().splitlines() if "gap_scan" in line)
    assert line.replace("│", " ").split() == [
        "7",
        "gap_scan",
        "cron",
        "failed",
        "2026-08-09T12:00:00Z",
        "60.0",
        "coinbase:",
        "[HTTP",
        "429]",
    ]


@pytest.mark.stack
def test_a_script_reads_what_the_api_says(empty_supabase: RunningSupabase) -> None:
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    store.start_run("gap_scan", worker="w", now=datetime.now(UTC), lease_seconds=60, trigger="cron")
    store.close()
    listed = run(empty_supabase, "jobs", "list", "--json", "--state", "running")
    assert listed.returncode == 0, listed.stderr
    assert [one["kind"] for one in json.loads(listed.stdout)["data"]] == ["gap_scan"]
