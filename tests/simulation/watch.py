"""What a feed tells its clients, checked as it tells it: nothing is closed too early, and nothing live without data."""

from typing import Any

import msgspec
from marketdata.model.timeframe import timeframe_named

from tests.simulation.process import Process
from tests.simulation.world import World

SLACK_SECONDS = 1.0


class Watch:
    """The hub's place for one feed."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
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
        elif kind == "gap":
            self._see_gap(symbol, told)
        elif kind == "alert":
            self._world.record.note(kind, f"{self._process.name} {told['rule']} {symbol} {told['state']}")
        else:
            self._see_candle(kind, symbol, told)

    def _see_status(self, told: dict[str, Any]) -> None:
        self._world.record.note("status", f"{self._process.name} {told['state']}")
        if told["state"] != "live":
            return
        heard_at = self._world.record.heard_at.get(self._process.name, 0.0)
        # A process that stood still says what it last knew, until its own watchdog has run.
        since = self._world.time.seconds - max(heard_at, self._process.went_on_at)
        longest = 4.0 + self._world.pace.patience.watch_seconds + SLACK_SECONDS
        if since > longest:
            self._world.record.breaks(f"{self._process.name} is called live, silent for {since:.1f} s")

    def _see_gap(self, symbol: str, told: dict[str, Any]) -> None:
        text = f"{self._process.name} {symbol} gap {told['id']} {told['start']} {told['buckets']} {told['state']}"
        self._world.record.note("gap", text)
        if not self._world.store.gaps(limit=1, after_id=told["id"] - 1):
            self._world.record.breaks(f"told of a gap that the ledger never had: {text}")

    def _see_candle(self, kind: str, symbol: str, told: dict[str, Any]) -> None:
        self._world.record.note(kind, f"{self._process.name} {symbol} {told['open_time']} {told['closed']}")
        if not told["closed"]:
            return
        opened = msgspec.convert(told["open_time"], type=type(self._world.time.start))
        timeframe = timeframe_named(told["timeframe"])
        text = f"{kind} of {symbol} {timeframe} {opened:%d %H:%M} by {self._process.name}"
        if opened + timeframe.duration > self._world.time.now():
            self._world.record.breaks(f"closed before its end: {text}")
        stored = self._world.store.candles(
            self._instruments[symbol], timeframe, start=opened, end=opened + timeframe.duration, limit=1
        )
        if not stored:
            self._world.record.breaks(f"announced before it was stored: {text}")
