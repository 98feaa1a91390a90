"""`marketdata roi`: the table, and the document that the API answers."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from marketdata.clock import FakeClock
from marketdata.jobs.roi_stats import roi_stats
from marketdata.model.statistics import RoiStatistic
from marketdata.model.timeframe import M1
from marketdata.store.supabase import SupabaseStore
from rich.console import Console

from cli.roi import roi_table
from tests.conftest import RunningSupabase
from tests.market import BTC, ETH, at, candle
from tests.unit.cli.test_coverage import run


def test_the_table_shows_percent_ratios_and_a_dash_where_there_is_no_figure() -> None:
    figures = (0.12345, 0.5, -1.234, None, -0.25, 0.01, -0.02)
    row = RoiStatistic("coinbase", "BTC-USD", "1h", at("12:00"), M1, *figures, n=59, coverage=0.999999)
    console = Console(width=160, no_color=True)
    with console.capture() as shown:
        console.print(roi_table([row]))
    (line,) = (line.replace("│", " ").split() for line in shown.get().splitlines() if "BTC-USD" in line)
    assert line[2:6] == ["1h", "2026-08-09", "12:00", "12.35"]
    assert line[-4:] == ["%", "59", "99.99", "%"]
    assert "-" in line


@pytest.mark.stack
def test_it_shows_what_the_job_wrote(empty_supabase: RunningSupabase) -> None:
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    store.put_instruments([BTC, ETH])
    now = M1.floor(datetime.now(UTC))
    store.put_candles([candle(now - timedelta(minutes=number)) for number in range(120)])
    while store.roll_up():
        pass
    written = roi_stats(store, FakeClock(now), now + timedelta(minutes=1))
    store.close()
    assert (written["markets"], written["comparisons"]) == (2, 1)
    answered = json.loads(run(empty_supabase, "roi", "--symbol", "btc/usd", "--json").stdout)
    assert {row["window"] for row in answered["data"]} == {"1h", "24h", "7d", "30d", "365d"}
    hour = next(row for row in answered["data"] if row["window"] == "1h")
    assert (hour["roi"], hour["n"], hour["coverage"]) == (0.0, 60, 1.0)
    table = run(empty_supabase, "roi", "--window", "1h")
    assert (table.returncode, table.stderr) == (0, "")
    assert table.stdout.count("coinbase") == 2
    assert run(empty_supabase, "roi", "--window", "2h").returncode == 2
