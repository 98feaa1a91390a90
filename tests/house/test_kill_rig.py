"""The kill rig on real processes: a killed feed costs nothing, and what would be missing is counted."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from marketdata.model.candle import Source
from marketdata.model.span import Span
from marketdata.model.timeframe import M1

from local.kill_rig import SPEED, KillRig, exit_code
from local.supabase_binaries import NODE_MODULES

ROOT = Path(__file__).parents[2]

# Each on the first minute of one product: one trade gone, one with another price, one too many; a candle gone, one with
# another volume, one that is not proven.
PLANTED = (
    "delete from ticks where (instrument_id, trade_id) in (select instrument_id, first_id from btc)",
    "update ticks set price = price + 1 where (instrument_id, trade_id) in (select instrument_id, last_id from btc)",
    "insert into ticks select instrument_id, true, 1, open_time, 1, 1, 1 from eth",
    "delete from candles where (instrument_id, timeframe, open_time) in (select instrument_id, 1, open_time from btc)",
    "update candles set volume = candles.volume + 1 from eth"
    " where (candles.instrument_id, candles.open_time) = (eth.instrument_id, eth.open_time)",
    "update candles set source = 1 from sol"
    " where (candles.instrument_id, candles.open_time) = (sol.instrument_id, sol.open_time)",
)

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(not NODE_MODULES.is_dir(), reason="the npm packages are not installed: run `make install`"),
]


def test_a_feed_that_is_killed_at_random_instants_loses_nothing() -> None:
    command = [sys.executable, "-m", "local.kill_rig", "--cycles", "5", "--seed", "11"]
    ended = subprocess.run(
        command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=240, check=False
    )
    assert ended.returncode == 0, ended.stderr
    said = re.fullmatch(
        r"kill -9 x 5, seed 11: (\d+) trades and (\d+) candles of \d+ minutes in \d+ s, \d+ holes left to the mover; "
        r"lost 0, extra 0, wrong candles 0\n",
        ended.stdout,
    )
    assert said, ended.stdout
    assert int(said[1]) > 1_000
    assert int(said[2]) > 4


@pytest.mark.long
async def test_what_is_missing_altered_or_made_up_is_counted(tmp_path: Path) -> None:
    async with KillRig(tmp_path, 12, print) as rig:
        await rig.begin()
        await rig.cycle()
        ended = await rig.finish()
        assert exit_code(rig.judge(), ended) == 0
        plant(rig)
        verdict = rig.judge()
    assert (verdict.lost, verdict.extra, verdict.wrong) == (2, 2, 3), verdict.examples
    assert exit_code(verdict, ended) == 1


@pytest.mark.long
async def test_what_a_feed_left_on_the_ledger_is_fetched_beside_it(tmp_path: Path) -> None:
    async with KillRig(tmp_path, 13, print) as rig:
        await rig.begin()
        one = rig.instruments[0]
        end = M1.floor(rig.clock.now()) + 2 * M1.duration
        missed = Span(end - M1.duration, end)
        await asyncio.sleep((end + 3 * M1.duration - rig.clock.now()).total_seconds() / SPEED)
        rig.store.record_gaps(one, M1, [missed], cause="disconnect", found_at=rig.clock.now())
        for _ in range(200):
            if rig.mover.filled:
                break
            await asyncio.sleep(0.1)
        assert not rig.mover.complaints
        [candle] = rig.store.candles(one, M1, start=missed.start, end=missed.end, limit=10)
        kept = rig.store.trades(one, missed, limit=10_000)
    assert candle.source is Source.PROVEN
    assert [trade.id for trade in kept] == [trade.id for trade in rig.tape.trades(one.symbol, missed)]


def plant(rig: KillRig) -> None:
    """Do to the store what no writer does."""
    with psycopg.connect(rig.supabase.dsn, autocommit=True) as connection:
        # Without the triggers, whose merge rule would not let a proven candle go.
        connection.execute("set session_replication_role = replica")
        for name in ("btc", "eth", "sol"):
            connection.execute(
                f"create temporary table {name} as select instrument_id, open_time, first_id, last_id from candles"
                " join instruments on instruments.id = instrument_id"
                " where symbol = %s and timeframe = 1 and open_time = %s",
                (f"{name.upper()}-USD", rig.span.start),
            )
        for planted in PLANTED:
            assert connection.execute(planted).rowcount == 1, planted
