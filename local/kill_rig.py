"""Kill the feed at random instants, start it again, and count what that cost: `make kill9 CYCLES=200`.

    python -m local.kill_rig --cycles N [--seed S]

All parts are real processes: Postgres (with fsync) and PostgREST behind the gateway, the exchange simulator's server,
and the feed as `make up` starts it; beside it the mover fetches what was too long to mend. SIGKILL hits the feed while
it streams, flushes, mends or still starts; nothing tells it before. At the end one feed lives on until everything up
to a chosen minute is proven, is told to stop, and then every trade and candle since the first proven minute is compared
with the tape.

The market runs SPEED times faster than we do, one day behind us. At the market's own speed a life of seconds would end
inside one minute, so that hardly a minute closed between two kills; at this speed each life meets several closings. The
feed needs to know nothing of it: it cuts buckets by the exchange's time, and what it takes from our clock (flushes,
watchdogs, mending, partitions) only becomes slower in the market's eyes, so more happens between two flushes.

Progress goes to standard error, the result in one line to standard output. Exit 0 only for 0 lost, 0 extra, 0 wrong.
"""

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from marketdata.clock import SystemClock
from marketdata.errors import MarketDataError
from marketdata.model.candle import Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.settings import settings_from
from marketdata.store.supabase import SupabaseStore

from local.config import instrument
from local.exchanges.coinbase import Simulator, coinbase_simulator
from local.exchanges.tape import Tape
from local.fast_clock import FastClock
from local.house import feed_state, free_port
from local.kill_mover import KillMover
from local.kill_verdict import Verdict, is_proven, judge
from local.supabase import LocalSupabase
from local.supabase_child import Child
from local.supabase_gateway import SupabaseGateway

SPEED = 20.0
BEHIND = timedelta(days=1)
"""The feed makes room for two days back and four ahead; so even a long run never leaves it."""
LIFE_SECONDS = (0.2, 2.5)
"""From being live to being killed. Mending begins after 1.5 s, so some lives mend and some do not."""
UNBORN_SHARE = 0.15
UNBORN_SECONDS = (0.0, 1.2)
"""So many lives end before they are live, so long after the process was started."""
LIVE_SECONDS_MAX = 30.0
PROVEN_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 12.0
LOOK_SECONDS = 0.05
SAID_EVERY = 10

Say = Callable[[str], None]


class KillRigError(MarketDataError):
    """The rig could not do its work, or the feed failed by itself."""


class NotInTime(KillRigError):
    """What the rig waited for did not happen."""


class KillRig:
    """One market, one store, and one feed at a time: `async with KillRig(...) as rig`. `seed` makes tape and lives."""

    def __init__(self, folder: Path, seed: int, say: Say) -> None:
        self.tape = Tape(seed)
        self.clock = FastClock(SystemClock().now() - BEHIND, SPEED)
        self.instruments = [instrument("coinbase", symbol, ["1m"], simulated=True) for symbol in self.tape.products]
        self.supabase = LocalSupabase(folder, fsync=True)
        self._folder = folder
        self._random = Random(seed)
        self._say = say
        self._standing = AsyncExitStack()
        self._environment: dict[str, str] = {}
        self._port = 0
        self._feed: Child | None = None
        self._store: SupabaseStore | None = None
        self._start: datetime | None = None
        self._end: datetime | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._put_up()
        except BaseException:
            await self._standing.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._standing.aclose()

    @property
    def store(self) -> SupabaseStore:
        """The store that the feed writes; there once the rig stands."""
        assert self._store is not None, "not standing"
        return self._store

    @property
    def span(self) -> Span:
        """The minutes that are compared; known once `finish` was called."""
        assert self._start is not None, "not begun"
        assert self._end is not None, "not finished"
        return Span(self._start, self._end)

    async def begin(self) -> None:
        """Let a first feed live until every product has a proven minute: from there on nothing may be missing."""
        self._start_feed()
        await self._until(self._has_begun, PROVEN_SECONDS_MAX, "no first proven minute")
        await self._kill_feed()

    async def cycle(self) -> None:
        """One life of the feed, and its end."""
        self._start_feed()
        if self._random.random() < UNBORN_SHARE:
            await asyncio.sleep(self._random.uniform(*UNBORN_SECONDS))
        else:
            await self._until(self._is_live, LIVE_SECONDS_MAX, "the feed was not live")
            await asyncio.sleep(self._random.uniform(*LIFE_SECONDS))
        await self._kill_feed()

    async def finish(self) -> int | None:
        """A last life, until all is proven or the time for it is over; returns what it exits with after SIGTERM."""
        self._end = M1.floor(self.clock.now()) + 2 * M1.duration
        self._start_feed()
        try:
            await self._until(self._is_proven, PROVEN_SECONDS_MAX, "not everything was proven")
        except NotInTime as error:
            self._say(str(error))
        feed = self._running_feed
        await asyncio.to_thread(feed.stop, STOP_SECONDS_MAX)
        return feed.exit_code

    def judge(self) -> Verdict:
        """What the store holds of the span against the tape."""
        return judge(self.store, self.tape, self.instruments, self.span)

    async def _put_up(self) -> None:
        self._standing.push_async_callback(asyncio.to_thread, self.supabase.stop)
        await asyncio.to_thread(self.supabase.start)
        gateway = self._standing.enter_context(SupabaseGateway(self.supabase.rest_url, self.supabase.keys))
        simulator = await self._standing.enter_async_context(Simulator(coinbase_simulator(self.tape, self.clock)))
        self._store = SupabaseStore(gateway.url, self.supabase.service_key)
        self._standing.callback(self._store.close)
        self._standing.callback(self._leave_no_feed)
        await asyncio.to_thread(self._store.put_instruments, self.instruments)
        self._environment = {
            **os.environ,
            "MARKETDATA_LOCAL": "1",
            "SUPABASE_URL": gateway.url,
            "SUPABASE_SERVICE_ROLE_KEY": self.supabase.service_key,
            "COINBASE_FEED": "exchange",
            "COINBASE_WEBSOCKET_URL": simulator.exchange_url,
            "COINBASE_REST_URL": simulator.url,
            "FEED_EXCHANGES": self.instruments[0].exchange,
            "FLUSH_SECONDS": "0.2",
            "KEEP_TICKS": "1",
        }
        self.mover = KillMover(self.store, self.clock, settings_from(self._environment), speed=SPEED)
        self._standing.enter_context(self.mover)

    def _start_feed(self) -> None:
        self._port = free_port()
        environment = {**self._environment, "FEED_PORT": str(self._port)}
        command = [sys.executable, "-m", "feed.main"]
        self._feed = Child("feed", command, environment, self._folder / "feed.log", signal.SIGTERM)

    @property
    def _running_feed(self) -> Child:
        """Raises: KillRigError if the feed ended and nobody killed it."""
        assert self._feed is not None, "no feed was started"
        if self._feed.exit_code is not None:
            raise KillRigError(f"the feed ended by itself ({self._feed.exit_code}): {self._feed.complaint()}")
        return self._feed

    async def _kill_feed(self) -> None:
        await asyncio.to_thread(self._running_feed.kill)

    def _leave_no_feed(self) -> None:
        if self._feed is not None:
            self._feed.kill()

    async def _until(self, happened: Callable[[], bool], seconds_max: float, otherwise: str) -> None:
        deadline = time.monotonic() + seconds_max
        while not await asyncio.to_thread(happened):
            if time.monotonic() > deadline:
                raise NotInTime(f"{otherwise} in {seconds_max:g} s; the feed said: {self._running_feed.complaint()}")
            await asyncio.sleep(LOOK_SECONDS)

    def _is_live(self) -> bool:
        return feed_state(self._port).startswith(f"{self.instruments[0].exchange} live")

    def _has_begun(self) -> bool:
        first = [self._first_proven(one) for one in self.instruments]
        begun = [time for time in first if time is not None]
        self._start = max(begun, default=None)
        return len(begun) == len(first)

    def _first_proven(self, one: Instrument) -> datetime | None:
        candles = self.store.candles(one, M1, start=None, end=None, limit=10)
        return next((candle.open_time for candle in candles if candle.source is Source.PROVEN), None)

    def _is_proven(self) -> bool:
        return all(is_proven(self.store, self.tape, one, self.span) for one in self.instruments)


async def run(cycles: int, seed: int, folder: Path, say: Say) -> tuple[str, int]:
    """The result in one line, and the exit code. Raises: KillRigError."""
    begun = time.monotonic()
    async with KillRig(folder, seed, say) as rig:
        await rig.begin()
        for cycle in range(1, cycles + 1):
            await rig.cycle()
            if cycle % SAID_EVERY == 0 or cycle == cycles:
                say(f"killed {cycle} of {cycles} times in {time.monotonic() - begun:.0f} s")
        ended = await rig.finish()
        if ended != 0:
            say(f"the last feed was told to stop and exited with {ended}")
        verdict = await asyncio.to_thread(rig.judge)
        minutes = (rig.span.end - rig.span.start) // M1.duration
    for example in (*rig.mover.complaints, *verdict.examples):
        say(example)
    line = (
        f"kill -9 x {cycles}, seed {seed}: {verdict.trades} trades and {verdict.candles} candles of {minutes} minutes "
        f"in {time.monotonic() - begun:.0f} s, {rig.mover.filled} holes left to the mover; {verdict}"
    )
    return line, exit_code(verdict, ended)


def exit_code(verdict: Verdict, ended: int | None) -> int:
    """0 when nothing is lost, extra or wrong and the last feed ended well; else 1."""
    return 0 if verdict.clean and ended == 0 else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.kill_rig", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cycles", type=int, default=200, help="how many lives to end")
    parser.add_argument("--seed", type=int, default=1, help="of the market and of the lives")
    given = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="kill-rig-"))
    say = _say_on_standard_error
    say(f"seed {given.seed}, {given.cycles} cycles")
    code = 1
    try:
        line, code = asyncio.run(run(given.cycles, given.seed, folder, say))
    except MarketDataError as error:
        say(str(error))
        return 1
    finally:
        if code == 0:
            shutil.rmtree(folder)
        else:
            say(f"what the feed said and stored is left in {folder}")
    sys.stdout.write(f"{line}\n")
    return code


def _say_on_standard_error(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
