"""What a feed tells its clients, checked as it tells it: nothing is closed too early, and nothing live without data."""

from typing import TYPE_CHECKING, Any

import msgspec
from marketdata.model.timeframe import M1

from tests.simulation.process import Process
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.feeder import Machine

SLACK_SECONDS = 1.0


class Watch:
    """The hub's place for one feed."""

    def __init__(self, world: World, machine: "Machine", process: Process) -> None:
        self._world = world
        self._machine = machine
        self._process = process
        self._instruments = {instrument.symbol: instrument for instrument in world.store.instruments()}

    def publish(
        self, kind: str, exchange: str, symbol: str, document: bytes, *, conflation_key: str | None = None
    ) -> None:
        """See Publish."""
        self._process.check_alive()
        told = msgspec.json.decode(document)
        if kind == "status":
            self._see_status(told)
        else:
            self._see_candle(kind, symbol, told)

    def _see_status(self, told: dict[str, Any]) -> None:
        self._world.record.note("status", f"{self._process.name} {told['state']}")
        if told["state"] != "live":
            return
        wires = [wire for wire in self._machine.line.wires if wire.process is self._process]
        heard_at = max((wire.heard_at for wire in wires), default=0.0)
        # A process that stood still says what it last knew, until its own watchdog has run.
        since = self._world.time.seconds - max(heard_at, self._process.went_on_at)
        longest = 4.0 + self._world.pace.patience.watch_seconds + SLACK_SECONDS
        if since > longest:
            self._world.record.breaks(f"{self._process.name} is called live, silent for {since:.1f} s")

    def _see_candle(self, kind: str, symbol: str, told: dict[str, Any]) -> None:
        self._world.record.note(kind, f"{self._process.name} {symbol} {told['open_time']} {told['closed']}")
        if not told["closed"]:
            return
        opened = msgspec.convert(told["open_time"], type=type(self._world.time.start))
        text = f"{kind} of {symbol} {opened:%d %H:%M} by {self._process.name}"
        if opened + M1.duration > self._world.time.now():
            self._world.record.breaks(f"closed before its end: {text}")
        stored = self._world.store.candles(
            self._instruments[symbol], M1, start=opened, end=opened + M1.duration, limit=1
        )
        if not stored:
            self._world.record.breaks(f"announced before it was stored: {text}")
