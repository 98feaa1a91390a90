"""What the api function does not import before a question needs it: its cold start pays for each module."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from marketdata.exchanges.places import PLACES

_START = """
import json, sys
import functions.api.handler
from marketdata import wiring
wiring.shared_store(wiring.settings())
print(json.dumps(sorted(sys.modules)))
"""
_STORE = {"SUPABASE_URL": "http://127.0.0.1:9", "SUPABASE_SERVICE_ROLE_KEY": "a-key"}
LIBRARIES = {
    *("pyarrow", "nanoarrow", "redis", "boto3", "jwt", "cryptography", "supabase", "websockets", "aiohttp"),
    *("pydantic", "postgrest", "httpx", "h2", "asyncio", "aws_lambda_powertools.event_handler"),
}
PARTS = {
    "marketdata.compute.alert_facts",
    "marketdata.compute.alert_machine",
    "marketdata.exchanges.exchange",
    "marketdata.exchanges.registry",
    "marketdata.jobs.alerts",
    "marketdata.jobs.backfill",
    "marketdata.jobs.export",
    "marketdata.jobs.query_alerts",
    "marketdata.jobs.query_statistics",
    "marketdata.jobs.query_gaps",
    "marketdata.jobs.query_jobs",
    "marketdata.jobs.query_ticks",
    "marketdata.jobs.report_coverage",
    "marketdata.jobs.report_holdings",
    "marketdata.jobs.report_metrics",
    "marketdata.model.alert_book",
    "marketdata.model.alert_message",
    "marketdata.model.alert_rule",
    "marketdata.model.statistics",
    "marketdata.net.rest",
    "marketdata.store.alert_rows",
    "marketdata.store.alerts",
    "marketdata.store.figures",
    "marketdata.store.statistic_rows",
}


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """What a new process holds when the api function and its store are made."""
    told = {**os.environ, **_STORE, "POWERTOOLS_SERVICE_NAME": "api"}
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _START], env=told, cwd=root, capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stdout))


def test_what_is_named_here_exists() -> None:
    library = Path(__file__).parents[2] / "layers/marketdata/python"
    assert [part for part in PARTS if not (library / f"{part.replace('.', '/')}.py").is_file()] == []


def test_the_api_starts_without_the_libraries_that_few_questions_need(imported: set[str]) -> None:
    assert imported & LIBRARIES == set()


def test_the_api_starts_without_adapters_alerts_statistics_and_jobs(imported: set[str]) -> None:
    assert imported & PARTS == set()
    adapters = {module for module in imported if module.startswith("marketdata.exchanges.")}
    assert adapters == {"marketdata.exchanges.places"}, f"settings know {', '.join(PLACES)} without them"
