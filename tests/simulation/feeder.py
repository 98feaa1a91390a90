"""A machine of a simulation on which feeds live, one after another: the production FollowLive on virtual time."""

import asyncio
from random import Random

from marketdata.errors import StoreError
from marketdata.exchanges.exchange import Request
from marketdata.exchanges.registry import adapter_for, live_trades
from marketdata.jobs.follow_live import FollowLive
from marketdata.jobs.followed_exchange import FollowedExchange
from marketdata.jobs.mend import Mender
from marketdata.net.rest import PacedBudget, Rest
from marketdata.net.stream import Stream

from tests.simulation.exchange import PONG_SECONDS_MAX, Line
from tests.simulation.process import Process
from tests.simulation.rest import URL, Transport
from tests.simulation.unsteady_store import through
from tests.simulation.virtual_time import MachineClock
from tests.simulation.watch import Watch
from tests.simulation.world import World

STOP_SECONDS_MAX = 30.0
"""Between SIGTERM and SIGKILL: what ECS gives a task."""


class Machine:
    """One place in which a feed runs; what runs there now is `process`."""

    def __init__(self, world: World, number: int, *, mending: bool) -> None:
        self.name = f"feed-{number}"
        self.line = Line(f"{world.seed}/{self.name}")
        self.clock = MachineClock(world.time)
        self.process: Process | None = None
        self._world = world
        self._mending = mending
        self._luck = Random(f"{world.seed}/{self.name}/luck")
        self._follow: FollowLive | None = None
        self._lives = 0

    def start(self) -> None:
        """Start a feed; one that already runs here goes on beside it."""
        self._lives += 1
        self.process = process = Process(self._world.time, f"{self.name}.{self._lives}")
        self._follow = follow = self._make(process)
        task = process.start(follow.run())
        task.add_done_callback(lambda done: self._end(process, done))
        self._world.record.note("feed starts", process.name)

    def start_if_none(self) -> None:
        """Start a feed, unless one runs here by now."""
        if self.process is None:
            self.start()

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self._kill(self.process)
            self.process = None

    def stop(self) -> None:
        """SIGTERM."""
        if self.process is not None and self._follow is not None:
            self._terminate(self.process, self._follow)
            self.process = None

    def deploy(self, overlap_seconds: float) -> None:
        """Start the next feed, and stop this one some time after."""
        old, follow = self.process, self._follow
        self.start()
        if old is not None and follow is not None:
            self._world.exchange.process.call_later(overlap_seconds, self._terminate, old, follow)

    def _terminate(self, process: Process, follow: FollowLive) -> None:
        """What has not ended some time after SIGTERM is killed."""
        self._world.record.note("feed is stopped", process.name)
        process.call_soon(follow.stop)
        self._world.exchange.process.call_later(STOP_SECONDS_MAX, self._kill_late, process)

    def stand_still(self, seconds: float) -> None:
        """The process does nothing for so long; the exchange misses its pongs."""
        process = self.process
        if process is not None:
            now = self._world.time.seconds
            self._world.record.stood_still.setdefault(process.name, []).append((now, now + seconds))
            process.stand_still()
            self._world.exchange.process.call_later(seconds, process.go_on)
            if seconds > PONG_SECONDS_MAX:
                self._world.exchange.process.call_later(PONG_SECONDS_MAX, self._hang_up, process)

    def _hang_up(self, process: Process) -> None:
        for wire in list(self.line.wires):
            if wire.process is process:
                wire.abort()

    def _kill(self, process: Process) -> None:
        self._world.record.note("feed is killed", process.name)
        self._world.record.died[process.name] = self._world.time.seconds
        process.kill()

    def _kill_late(self, process: Process) -> None:
        if process.alive:
            self._kill(process)

    def _end(self, process: Process, done: "asyncio.Task[None]") -> None:
        if not process.alive:
            return
        process.alive = False
        self._world.record.died[process.name] = self._world.time.seconds
        error = None if done.cancelled() else done.exception()
        if error is not None:
            self._world.record.note("feed ends unsaved", repr(error))
            if not isinstance(error, StoreError):
                self._world.record.breaks(f"{process.name} ended by {error!r}")
        if self.process is process:
            self._world.record.breaks(f"{process.name} ended unasked")
            self.start()

    def _make(self, process: Process) -> FollowLive:
        world, pace = self._world, self._world.pace
        watch = Watch(world, process)

        def open_stream(exchange: str) -> Stream:
            return Stream(
                live_trades(exchange, "exchange", "wss://exchange.simulated"),
                clock=self.clock,
                connect=lambda _: world.exchange.connect(process, self.line),
                patience=pace.patience,
                random_source=self._luck,
            )

        def open_mender(followed: FollowedExchange) -> Mender | None:
            adapter = adapter_for(followed.name)
            if not self._mending or adapter.trade_history is None:
                return None
            rest = self._rest(process, followed.name)

            async def fetch(request: Request) -> bytes:
                return await asyncio.to_thread(rest.get, request)

            return Mender(followed, adapter.trade_history(followed.name), fetch, pace.mending)

        return FollowLive(
            store=through(world.store, process, world.weather, world.record, luck=self._luck),
            open_stream=open_stream,
            open_mender=open_mender,
            publish=watch.publish,
            clock=self.clock,
            feed_id=process.name,
            rhythm=pace.rhythm,
            watch_limits=pace.watching,
        )

    def _rest(self, process: Process, exchange: str) -> Rest:
        adapter = adapter_for(exchange)
        budget = PacedBudget(adapter.requests_per_second, adapter.requests_burst, process.time)
        transport = Transport(self._world.rest, process, process.name)
        return Rest(exchange, URL, budget, self.clock, sleep=process.sleep, transport=transport)
