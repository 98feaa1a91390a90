"""The whole house on one machine: `make up`. Everything that AWS would run, through the same production code.

    Postgres + PostgREST <- /rest/v1 -+
    exchange simulator <- /simulator -+- front (one port) -> page, API (the Lambda handlers), live stream
    scheduler -> the same handlers    |
    feed (a process of its own, as the Fargate task is; started again when it ends) <- /stream

Ctrl-C stops it all in the order that loses nothing: feed first, database last.
"""

import asyncio
import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aiohttp import web
from marketdata import observe
from marketdata.clock import Clock, SystemClock
from marketdata.errors import MarketDataError, StoreError
from marketdata.exchanges import coinbase, coinbase_advanced, coinbase_rest
from marketdata.model.candle import Candle
from marketdata.model.instrument import INVENTED_EXCHANGES, Instrument
from marketdata.model.timeframe import M1
from marketdata.store.store import Store
from marketdata.store.supabase import SupabaseStore

from local.config import Config, instruments, simulated_name
from local.exchanges.coinbase import coinbase_simulator
from local.exchanges.synthetic import synthetic_simulator
from local.exchanges.synthetic_products import synthetic_order, synthetic_products
from local.exchanges.tape import Tape
from local.front import SIMULATOR_PATH, SYNTHETIC_PATH, front
from local.scheduler import Scheduler
from local.secrets_file import kept_secrets, write_environment_file
from local.supabase import LocalSupabase
from local.supabase_child import Child

FEED_STOP_SECONDS_MAX = 12.0
FEED_RESTART_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
WATCH_SECONDS = 0.5


class HouseError(MarketDataError):
    """The house cannot stand; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to put up a house. `folder` keeps its data; `live` follows the real exchange instead of the simulator."""

    folder: Path
    config: Config
    port: int = 8100
    live: bool = False
    feed: str = "exchange"
    seed: int = 1

    @property
    def home(self) -> Path:
        """Simulated and real data never share a database."""
        return self.folder / ("live" if self.live else "simulated")

    @property
    def url(self) -> str:
        """The one door."""
        return f"http://localhost:{self.port}"


class House:
    """One running house. `say` gets each line for the person who started it."""

    def __init__(self, plan: Plan, say: Callable[[str], None], clock: Clock | None = None) -> None:
        self._plan = plan
        self._say = say
        self._clock = clock or SystemClock()
        self._stopping = asyncio.Event()
        self._broken = ""
        self._environment: dict[str, str] = {}
        self._feed: Child | None = None
        self._feed_port = 0

    def stop(self) -> None:
        """Take the house down, in order."""
        self._stopping.set()

    async def run(self) -> None:
        """Stand until stopped. Raises: HouseError or LocalSupabaseError when it cannot."""
        loop = asyncio.get_running_loop()
        for wish in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(wish, self.stop)
        started = time.monotonic()
        check_port(self._plan.port)
        async with AsyncExitStack() as standing:
            supabase = await self._start_supabase(standing)
            observe.configure(level="INFO", for_people=True, file=self._plan.home / "functions.log")
            self._publish_environment(supabase)
            await self._open_front(standing, supabase)
            store = SupabaseStore(self._local_url, supabase.service_key)
            standing.callback(store.close)
            followed = await asyncio.to_thread(self._seed, store)
            standing.push_async_callback(self._stop_feed)
            self._start_feed()
            scheduler = Scheduler(self._clock)
            standing.push_async_callback(scheduler.stop)
            scheduler.start()
            self._introduce(supabase, followed)
            watching = [
                asyncio.create_task(self._watch_feed()),
                asyncio.create_task(self._watch_supabase(supabase)),
                asyncio.create_task(self._show_first_candle(store, followed, started)),
            ]
            await self._stopping.wait()
            self._say("stopping: the feed flushes first, the database goes last")
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
        if self._broken:
            raise HouseError(f"{self._broken}; the data stays in {self._plan.home}, so start again")
        self._say(f"stopped; the data stays in {self._plan.home}")

    @property
    def _local_url(self) -> str:
        return f"http://127.0.0.1:{self._plan.port}"

    async def _start_supabase(self, standing: AsyncExitStack) -> LocalSupabase:
        supabase = LocalSupabase(self._plan.home, fsync=True)
        await asyncio.to_thread(supabase.start)
        standing.push_async_callback(asyncio.to_thread, supabase.stop)
        return supabase

    def _publish_environment(self, supabase: LocalSupabase) -> None:
        """What the handlers, the feed and other people's programs read, as they would on AWS."""
        path = self._plan.home / "house.env"
        shared = {
            "MARKETDATA_URL": self._plan.url,
            "SUPABASE_URL": self._local_url,
            "SUPABASE_ANON_KEY": supabase.anon_key,
            "SUPABASE_SERVICE_ROLE_KEY": supabase.service_key,
            "DATABASE_URL": supabase.dsn,
            "COINBASE_REST_URL": self._rest_url(),
            "EXPORT_FOLDER": str((self._plan.home / "exports").resolve()),
            "FEED_EXCHANGES": self._only_exchanges(),
            # What real assets are worth does not belong beside an invented market.
            "COINGECKO_IDS": os.environ.get("COINGECKO_IDS", "") if self._plan.live else "",
            **self._synthetic_environment(),
            **kept_secrets(path, os.environ),
        }
        write_environment_file(path, shared)
        write_environment_file(self._plan.folder / "current.env", shared)
        self._feed_port = free_port()
        self._environment = {
            **shared,
            "MARKETDATA_LOCAL": "1",
            "COINBASE_FEED": self._plan.feed,
            "COINBASE_WEBSOCKET_URL": self._websocket_url(),
            "FEED_PORT": str(self._feed_port),
            "FEED_HANDOVER_SECONDS": "0",  # nobody comes after it here
        }
        os.environ.update(self._environment)

    def _websocket_url(self) -> str:
        if self._plan.live:
            return coinbase_advanced.ADVANCED_URL if self._plan.feed == "advanced" else coinbase.EXCHANGE_URL
        return f"ws://127.0.0.1:{self._plan.port}{SIMULATOR_PATH}/{self._plan.feed}"

    def _rest_url(self) -> str:
        return coinbase_rest.REST_URL if self._plan.live else f"http://127.0.0.1:{self._plan.port}{SIMULATOR_PATH}"

    def _only_exchanges(self) -> str:
        """Where data is simulated no real exchange is followed; else every one that has active instruments."""
        names = [] if self._plan.live else [*map(simulated_name, self._plan.config.exchanges), *INVENTED_EXCHANGES]
        return ",".join(sorted(set(names)))

    async def _open_front(self, standing: AsyncExitStack, supabase: LocalSupabase) -> None:
        invented = {} if self._plan.live else self._invented()
        app = front(
            supabase_url=supabase.rest_url,
            supabase_keys=supabase.keys,
            feed_url=f"http://127.0.0.1:{self._feed_port}",
            invented=invented,
            files=self._plan.home / "exports",
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        standing.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", self._plan.port).start()

    def _invented(self) -> dict[str, web.Application]:
        """The exchanges of this house, by the path that each is at."""
        order = synthetic_order(os.environ, self._plan.seed)
        synthetic = Tape(order.seed, synthetic_products(order.symbols, order.rate))
        return {
            SIMULATOR_PATH: coinbase_simulator(Tape(self._plan.seed), self._clock),
            SYNTHETIC_PATH: synthetic_simulator(synthetic, self._clock),
        }

    def _synthetic_environment(self) -> dict[str, str]:
        """Where the synthetic exchange is, of this house."""
        if self._plan.live:
            return {}
        here = f"127.0.0.1:{self._plan.port}{SYNTHETIC_PATH}"
        return {
            "SYNTHETIC_REST_URL": f"http://{here}",
            "SYNTHETIC_WEBSOCKET_URL": f"ws://{here}/trades",
            "SYNTHETIC_QUOTES_REST_URL": f"http://{here}",
            "SYNTHETIC_QUOTES_WEBSOCKET_URL": f"ws://{here}/quotes",
        }

    def _seed(self, store: Store) -> list[Instrument]:
        """Add what config.yaml has and the database has not; the database has the last word."""
        known = {instrument.key for instrument in store.instruments()}
        wanted = instruments(self._plan.config, simulated=not self._plan.live)
        store.put_instruments([instrument for instrument in wanted if instrument.key not in known])
        return store.instruments(active_only=True)

    def _start_feed(self) -> None:
        command = [sys.executable, "-m", "feed.main"]
        log = self._plan.home / "feed.log"
        self._feed = Child("feed", command, os.environ, log, signal.SIGTERM)

    async def _stop_feed(self) -> None:
        if self._feed is not None:
            await asyncio.to_thread(self._feed.stop, FEED_STOP_SECONDS_MAX)

    async def _watch_feed(self) -> None:
        """Start the feed again when it ends, and tell the person when its state changes."""
        told, ends = "", 0
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            assert self._feed is not None
            if self._feed.exit_code is not None:
                wait = FEED_RESTART_SECONDS[min(ends, len(FEED_RESTART_SECONDS) - 1)]
                self._say(f"feed ended ({self._feed.exit_code}): {self._feed.complaint()}; again in {wait:g} s")
                ends += 1
                await asyncio.sleep(wait)
                self._start_feed()
                continue
            state = await asyncio.to_thread(feed_state, self._feed_port)
            # Not for each other reason: a database that is away gives a new one every second.
            if state and _gist(state) != _gist(told):
                self._say(f"feed      {state}")
            told = state or told

    async def _watch_supabase(self, supabase: LocalSupabase) -> None:
        """A house without its database is taken down: whoever put it up is to know."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if supabase.ended:
                self._broken = supabase.ended
                self.stop()
                return

    async def _show_first_candle(self, store: Store, followed: list[Instrument], started: float) -> None:
        since = M1.floor(self._clock.now())
        candle = None
        while candle is None:
            await asyncio.sleep(WATCH_SECONDS)
            candle = await asyncio.to_thread(newest_candle, store, followed, since)
        self._say(f"first candle stored {time.monotonic() - started:.1f} s after start: {one_line(candle)}")

    def _introduce(self, supabase: LocalSupabase, followed: list[Instrument]) -> None:
        names = ", ".join(f"{instrument.exchange} {instrument.symbol}" for instrument in followed[:8])
        symbol = followed[0].symbol if followed else "BTC-USD"
        origin = "the real Coinbase" if self._plan.live else "SIMULATED: an invented market, not Coinbase's"
        for line in (
            f"page      {self._plan.url}",
            f"API       {self._plan.url}/v1/candles?symbol={symbol}&timeframe=1m",
            f"stream    {self._plan.url}/stream",
            f"Supabase  {self._plan.url}  (keys in {self._plan.home / 'house.env'})",
            f"Postgres  {supabase.dsn.rpartition('@')[2]}",
            f"exchange  {self._websocket_url()}  ({origin})",
            f"follows   {names}{' ...' if len(followed) > 8 else ''}",
            f"data      {self._plan.home}  (feed.log, functions.log and the database's logs too)",
        ):
            self._say(line)


def check_port(port: int) -> None:
    """Raises: HouseError when somebody else listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise HouseError(f"port {port} cannot be had ({error.strerror}); try `make up PORT={port + 10}`") from error


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def feed_state(port: int) -> str:
    """What the feed says of each exchange, in a line; empty while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            report = json.load(answer)
    except urllib.error.HTTPError as error:
        report = json.load(error)
    except (OSError, ValueError):
        return ""
    return "; ".join(
        f"{one['exchange']} {one['state']}" + (f" ({one['detail'].splitlines()[0]})" if one["detail"] else "")
        for one in report.get("exchanges", [])
    )


def _gist(state: str) -> tuple[str, bool]:
    """The state without its reason, and whether there is one."""
    said, _, reason = state.partition(" (")
    return said, bool(reason)


def newest_candle(store: Store, followed: list[Instrument], since: datetime) -> Candle | None:
    """A candle stored since then, if any."""
    for instrument in followed:
        try:
            candles = store.candles(instrument, M1, start=since, end=None, limit=1, newest_first=True)
        except StoreError:
            return None
        if candles:
            return candles[0]
    return None


def one_line(candle: Candle) -> str:
    """A candle for a person."""
    figures = f"O {candle.open:f} H {candle.high:f} L {candle.low:f} C {candle.close:f} V {candle.volume:f}"
    return f"{candle.exchange} {candle.symbol} {candle.open_time:%H:%M} {figures} ({candle.source.label})"
