"""`marketdata coverage` on a real store, as a person and as a script reads it."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import pytest
from marketdata.compute.daily_coverage import DayCoverage
from marketdata.jobs.report_coverage import CoverageReport
from marketdata.model.timeframe import M1
from marketdata.store.supabase import SupabaseStore
from rich.console import Console

from cli.coverage import coverage_table
from tests.conftest import RunningSupabase
from tests.market import BTC, ETH, at, candle
from tests.unit.cli.test_main import MARKETDATA

DAY = date(2026, 8, 9)


def run(supabase: RunningSupabase, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        "PATH": "",
        "COLUMNS": "160",
        "PYTHONPATH": ":".join(sys.path),
        "SUPABASE_URL": supabase.url,
        "SUPABASE_SERVICE_ROLE_KEY": supabase.service_key,
        **more,
    }
    return subprocess.run(
        [MARKETDATA, *arguments], capture_output=True, text=True, timeout=60, check=False, env=environment
    )


def printed(*days: DayCoverage) -> str:
    console = Console(width=160, no_color=True)
    with console.capture() as shown:
        console.print(coverage_table(CoverageReport(M1, tuple((BTC, day) for day in days), None, at("12:00"))))
    return shown.get()


def test_the_table_has_a_line_a_day() -> None:
    text = printed(DayCoverage(DAY, 1440, 1000, 3, 990, 430), DayCoverage(DAY + timedelta(days=1), 60, 60, 0, 60, 0))
    first, second = (line.replace("│", " ").split() for line in text.splitlines() if "BTC-USD" in line)
    assert first == ["coinbase", "BTC-USD", "2026-08-09", "1440", "1000", "990", "430", "10", "3", "99.30", "%"]
    assert second == ["coinbase", "BTC-USD", "2026-08-10", "60", "60", "60", "0", "0", "0", "100.00", "%"]


def test_a_share_is_never_rounded_up_to_all() -> None:
    assert "99.99 %" in printed(DayCoverage(DAY, 10**6, 10**6 - 1, 0, 0, 0))


@pytest.mark.stack
def test_it_counts_what_the_store_holds(empty_supabase: RunningSupabase) -> None:
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    store.put_instruments([BTC, ETH])
    yesterday = M1.floor(datetime.now(UTC)) - timedelta(days=1)
    store.put_candles([candle(yesterday + timedelta(minutes=number)) for number in range(5)])
    store.close()
    answered = json.loads(run(empty_supabase, "coverage", "--days", "2", "--json").stdout)
    of_btc = [day for day in answered["data"] if day["symbol"] == "BTC-USD"]
    assert sum(day["present"] for day in of_btc) == 5
    assert sum(day["expected"] for day in of_btc) == 2 * 1440 - 2
    assert {day["symbol"] for day in answered["data"]} == {"BTC-USD", "ETH-USD"}
    table = run(empty_supabase, "coverage", "--symbol", "btc/usd", "-s", "ETH-USD", "--days", "1")
    assert (table.returncode, table.stderr) == (0, "")
    assert "BTC-USD" in table.stdout
    assert "ETH-USD" in table.stdout
