"""A deployment on real processes: the old feed goes when the new one does its work, and nothing is lost."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from marketdata.clock import SystemClock
from marketdata.jobs.hand_over import HANDING_OVER
from marketdata.model.candle import Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.supabase import SupabaseStore

from local.config import instrument
from local.exchanges.coinbase import Simulator, coinbase_simulator
from local.exchanges.tape import Tape
from local.fast_clock import FastClock
from local.house import feed_state, free_port
from local.kill_verdict import is_proven, judge
from local.supabase_child import Child
from tests.conftest import RunningSupabase

pytestmark = [pytest.mark.stack, pytest.mark.slow]

SPEED = 20.0
DEADLINE_SECONDS = 60.0
STOP_SECONDS_MAX = 20.0


@dataclass
class Market:
    """A market that runs fast, the store, and what a feed of it needs."""

    tape: Tape
    clock: FastClock
    store: SupabaseStore
    instruments: list[Instrument]
    environment: dict[str, str]
    folder: Path
    standing: AsyncExitStack

    async def feed(self, name: str, *, seconds_max: float) -> Child:
        """A feed that is live, and goes on after SIGTERM for so long at the most."""
        port = free_port()
        given = {**self.environment, "FEED_PORT": str(port), "FEED_HANDOVER_SECONDS": str(seconds_max)}
        child = Child(name, [sys.executable, "-m", "feed.main"], given, self.folder / f"{name}.log", signal.SIGTERM)
        self.standing.callback(child.kill)
        await self.until(lambda: feed_state(port).startswith(f"{self.instruments[0].exchange} live"))
        return child

    async def until(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not await asyncio.to_thread(happened):
            assert time.monotonic() < deadline, "it did not happen"
            await asyncio.sleep(0.05)

    def first_proven(self) -> datetime | None:
        """From where every instrument has proven minutes, if there is such a minute."""
        first = []
        for one in self.instruments:
            candles = self.store.candles(one, M1, start=None, end=None, limit=10)
            first += [candle.open_time for candle in candles if candle.source is Source.PROVEN][:1]
        return max(first) if len(first) == len(self.instruments) else None

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()


@pytest.fixture
async def market(empty_supabase: RunningSupabase, tmp_path: Path) -> AsyncIterator[Market]:
    tape, clock = Tape(21), FastClock(SystemClock().now() - timedelta(days=1), SPEED)
    followed = [instrument("coinbase", symbol, ["1m"], simulated=True) for symbol in tape.products]
    async with AsyncExitStack() as standing:
        exchange = await standing.enter_async_context(Simulator(coinbase_simulator(tape, clock)))
        store = standing.enter_context(closing(SupabaseStore(empty_supabase.url, empty_supabase.keys.secret)))
        await asyncio.to_thread(store.put_instruments, followed)
        environment = {
            **os.environ,
            "MARKETDATA_LOCAL": "1",
            "SUPABASE_URL": empty_supabase.url,
            "SUPABASE_SECRET_KEY": empty_supabase.keys.secret,
            "COINBASE_FEED": "exchange",
            "COINBASE_WEBSOCKET_URL": exchange.exchange_url,
            "COINBASE_REST_URL": exchange.url,
            "FEED_EXCHANGES": followed[0].exchange,
            "FLUSH_SECONDS": "0.2",
        }
        yield Market(tape, clock, store, followed, environment, tmp_path, standing)


async def ended(child: Child, seconds_max: float) -> int:
    """Its exit code."""
    deadline = time.monotonic() + seconds_max
    while child.exit_code is None:
        assert time.monotonic() < deadline, f"it still runs after {seconds_max:g} s"
        await asyncio.sleep(0.05)
    return child.exit_code


def ask(child: Child) -> None:
    """To end, as Fargate does."""
    os.kill(child.pid, signal.SIGTERM)


async def test_a_deployment_overlaps_loses_no_trade_and_leaves_every_minute_proven(market: Market) -> None:
    old = await market.feed("old", seconds_max=100)
    await market.until(lambda: market.first_proven() is not None)
    start = market.first_proven()
    assert start is not None
    new = await market.feed("new", seconds_max=0)
    asked_at = time.monotonic()
    ask(old)
    assert await ended(old, STOP_SECONDS_MAX) == 0
    assert time.monotonic() - asked_at < STOP_SECONDS_MAX
    assert "a successor does the work" in market.said("old")
    span = Span(start, M1.floor(market.clock.now()) + 2 * M1.duration)
    await market.until(lambda: all(is_proven(market.store, market.tape, one, span) for one in market.instruments))
    ask(new)
    assert await ended(new, STOP_SECONDS_MAX) == 0
    verdict = judge(market.store, market.tape, market.instruments, span)
    assert verdict.clean, verdict.examples
    assert verdict.trades > 100


async def test_a_successor_that_is_killed_is_waited_for_to_the_bound_and_everything_is_saved(market: Market) -> None:
    old = await market.feed("old", seconds_max=7)
    new = await market.feed("new", seconds_max=100)
    await market.until(lambda: len(market.store.feed_statuses()) == 2)
    new.kill()
    asked_at = time.monotonic()
    ask(old)
    await market.until(lambda: any(one.detail.startswith(HANDING_OVER) for one in market.store.feed_statuses()))
    assert old.exit_code is None
    assert await ended(old, STOP_SECONDS_MAX) == 0
    assert time.monotonic() - asked_at >= 7
    assert "no successor was heard" in market.said("old")
    assert "stopped, everything saved" in market.said("old")


async def test_a_second_wish_is_not_kept_waiting(market: Market) -> None:
    feed = await market.feed("alone", seconds_max=100)
    ask(feed)
    await market.until(lambda: "waiting for a successor" in market.said("alone"))
    ask(feed)
    assert await ended(feed, STOP_SECONDS_MAX) == 0
