"""`marketdata export` on a real store: files that are exact, and exit codes that tell of gaps."""

import json
from pathlib import Path

import pytest
from marketdata.store.supabase import SupabaseStore
from pyarrow import parquet

from tests.conftest import RunningSupabase
from tests.market import BTC, at, minutes
from tests.unit.cli.test_coverage import run

pytestmark = pytest.mark.stack

SPAN = ("--from", "2026-08-09T10:00:00Z", "--to", "2026-08-09T11:00:00Z")


@pytest.fixture
def supabase(empty_supabase: RunningSupabase) -> RunningSupabase:
    """Minutes from ten to eleven, but for five before eleven."""
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    store.put_instruments([BTC])
    store.put_candles(minutes("10:00", "10:55"))
    while store.roll_up():
        pass
    store.close()
    return empty_supabase


def test_a_file_with_a_hole_is_written_and_the_exit_code_tells(supabase: RunningSupabase, tmp_path: Path) -> None:
    path = tmp_path / "candles.parquet"
    done = run(supabase, "export", "btcusd", "--out", str(path), *SPAN, "--json")
    assert done.returncode == 3, done.stderr
    told = json.loads(done.stdout)
    assert (told["rows"], told["condition"], told["gaps_total"]) == (55, "missing", 1)
    assert parquet.read_table(path).num_rows == 55
    assert [one.name for one in tmp_path.iterdir()] == ["candles.parquet"]


def test_a_whole_file_is_exit_code_nothing(supabase: RunningSupabase, tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    done = run(
        supabase, "export", "BTC-USD", "-o", str(path), "--from", "2026-08-09T10:00:00Z", "--to", "2026-08-09T10:30:00Z"
    )
    assert done.returncode == 0, done.stderr
    assert "30 candles" in done.stderr
    lines = path.read_text().splitlines()
    assert (len(lines), lines[1].split(",")[3]) == (31, at("10:00").strftime("%Y-%m-%dT%H:%M:%SZ"))


@pytest.mark.parametrize("out", ["candles.xlsx", "/nowhere/candles.csv"])
def test_a_place_that_cannot_be_written_is_the_caller_s_mistake(supabase: RunningSupabase, out: str) -> None:
    assert run(supabase, "export", "BTC-USD", "--out", out, *SPAN).returncode == 2
