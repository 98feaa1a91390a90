"""`marketdata gaps repair` and `verify`: a hole is seen, planned, filled and verified, by the real commands."""

import asyncio
import json
import os
import subprocess
from datetime import timedelta

import pytest
import typer
from marketdata.clock import SystemClock
from marketdata.errors import RequestInvalid
from marketdata.model.gap import GapState
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.times import rfc3339
from marketdata.store.supabase import SupabaseStore

from cli.moments import moment
from cli.resume import resumable
from tests.conftest import RunningSupabase
from tests.market import MINUTE, at
from tests.unit.cli.test_main import MARKETDATA
from tests.unit.local.exchanges.market import simulator

# Each starts the real command.
pytestmark = pytest.mark.slow

SIMULATED = Instrument("coinbase-simulated", "BTC-USD", "BTC", "USD", simulated=True)
NOON = at("12:00")


def run(supabase: RunningSupabase, rest_url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        "PATH": "",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "COLUMNS": "200",
        "SUPABASE_URL": supabase.url,
        "SUPABASE_SERVICE_ROLE_KEY": supabase.service_key,
        "COINBASE_REST_URL": rest_url,
    }
    command = [str(MARKETDATA), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


async def test_a_hole_is_planned_without_writing_then_filled_and_verified(empty_supabase: RunningSupabase) -> None:
    clock, store = SystemClock(), SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    store.put_instruments([SIMULATED])
    end = M1.floor(clock.now()) - 10 * MINUTE
    hole = Span(end - 20 * MINUTE, end)
    chosen = ("-s", "BTC-USD", "--from", rfc3339(hole.start), "--to", rfc3339(hole.end), "--json")
    async with simulator(clock) as exchange:
        unsound = await asyncio.to_thread(run, empty_supabase, exchange.url, "verify", *chosen)
        planned = await asyncio.to_thread(run, empty_supabase, exchange.url, "gaps", "repair", "--dry-run", *chosen)
        untouched = store.gaps(limit=10), store.candles(SIMULATED, M1, start=None, end=None, limit=10)
        repaired = await asyncio.to_thread(run, empty_supabase, exchange.url, "gaps", "repair", *chosen)
        sound = await asyncio.to_thread(run, empty_supabase, exchange.url, "verify", *chosen)
    assert unsound.returncode == 3, unsound.stderr
    assert (unsound.returncode, json.loads(unsound.stdout)["verified"][0]["minutes"]["missing"]) == (3, 20)
    (plan,) = json.loads(planned.stdout)["planned"]
    assert (planned.returncode, plan["minutes"], plan["start"]) == (0, 20, rfc3339(hole.start))
    assert plan["how"].startswith("trades")
    assert untouched == ([], [])
    assert repaired.returncode == 0, repaired.stderr
    assert json.loads(repaired.stdout)["result"]["candles"] == 20
    assert [(gap.span, gap.state) for gap in store.gaps(limit=10)] == [(hole, GapState.FILLED)]
    assert (sound.returncode, json.loads(sound.stdout)["verified"][0]["ids_join"]) == (0, 19), sound.stderr
    store.close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", NOON - timedelta(minutes=90)),
        ("12h", NOON - timedelta(hours=12)),
        ("7d", NOON - timedelta(days=7)),
        ("2w", NOON - timedelta(weeks=2)),
        ("2026-08-09T11:00:00Z", at("11:00")),
    ],
)
def test_a_moment_is_how_long_ago_or_a_time(text: str, expected: object) -> None:
    assert moment(text, "--since", NOON) == expected


@pytest.mark.parametrize("text", ["d", "7y", "99999w", "yesterday"])
def test_what_is_no_moment_is_refused_by_the_name_of_the_option(text: str) -> None:
    with pytest.raises(RequestInvalid, match="--since"):
        moment(text, "--since", NOON)


def test_an_interruption_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, resumable(["gaps", "repair", "--since", "7 d"]):
        raise KeyboardInterrupt
    assert ended.value.exit_code == 130
    assert "marketdata gaps repair --since '7 d'" in capsys.readouterr().err
