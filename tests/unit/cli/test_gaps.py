"""`marketdata gaps` on a real store, as a person and as a script reads it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from marketdata.jobs.scan_gaps import InstrumentScan, ScanResult
from marketdata.model.gap import Gap, GapState
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.supabase import SupabaseStore
from rich.console import Console
from rich.table import Table

from cli.gaps import gaps_table, scan_table
from tests.conftest import RunningSupabase
from tests.market import BTC, ETH, MINUTE, at, candle
from tests.unit.cli.test_coverage import run


def cells(table: Table) -> list[list[str]]:
    console = Console(width=200, no_color=True)
    with console.capture() as shown:
        console.print(table)
    return [line.replace("│", " ").split() for line in shown.get().splitlines() if "-USD" in line]


def test_each_gap_is_a_line() -> None:
    span = Span(at("10:00"), at("10:05"))
    gap = Gap(
        7, "coinbase", "BTC-USD", M1, span, GapState.OPEN, "scan", at("11:00"), attempts=2, reason="[red]429[/red]"
    )
    edges = ["2026-08-09T10:00:00Z", "2026-08-09T10:05:00Z"]
    assert cells(gaps_table([gap])) == [
        ["7", "coinbase", "BTC-USD", *edges, "5", "open", "scan", "2", "[red]429[/red]"]
    ]


def test_a_scan_is_a_line_an_instrument() -> None:
    result = ScanResult(True, 1, (InstrumentScan("coinbase", "BTC-USD", 3, 40, 2),), 5)
    assert cells(scan_table(result)) == [["coinbase", "BTC-USD", "3", "40", "2"]]


@pytest.mark.stack
def test_a_scan_that_leaves_gaps_open_ends_with_3_and_they_are_listed(empty_supabase: RunningSupabase) -> None:
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    store.put_instruments([BTC, ETH])
    clean = run(empty_supabase, "gaps", "scan", "--json")
    assert (clean.returncode, json.loads(clean.stdout)["unresolved"]) == (0, 0)
    lost = M1.floor(datetime.now(UTC)) - timedelta(hours=3)
    store.record_gaps(BTC, M1, [Span(lost, lost + 5 * MINUTE)], cause="operator", found_at=datetime.now(UTC))
    found = run(empty_supabase, "gaps", "scan")
    assert (found.returncode, "1 unresolved" in found.stderr) == (3, True)
    [listed] = json.loads(run(empty_supabase, "gaps", "list", "--json").stdout)["data"]
    assert (listed["symbol"], listed["buckets"], listed["cause"]) == ("BTC-USD", 5, "operator")
    store.put_candles([candle(lost + number * MINUTE) for number in range(5)])
    assert run(empty_supabase, "gaps", "scan").returncode == 0
    filled = run(empty_supabase, "gaps", "list", "--state", "filled", "--state", "open", "-s", "btc/usd")
    assert (filled.returncode, "filled" in filled.stdout) == (0, True)
    store.close()
