"""A store as one process sees it: it takes its time, fails for minutes, and applies writes whose answer is lost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import Any, cast

from marketdata.errors import StoreError
from marketdata.model.candle import Candle, Source
from marketdata.model.trade import Trade
from marketdata.store.store import Store

from tests.simulation.process import Process
from tests.simulation.record import Record

ANSWER_SECONDS = (0.002, 0.03)
_WRITES = frozenset(
    {
        "put_candles",
        "put_trades",
        "mark_empty",
        "record_gaps",
        "resolve_gap",
        "release_gap",
        "close_covered_gaps",
        "roll_up",
        "put_feed_status",
        "mark_closed",
        "start_run",
        "finish_run",
        "renew_run",
    }
)


@dataclass(slots=True)
class Weather:
    """How the store is at the moment, for everybody."""

    outages: int = 0
    lost_answers: float = 0.0
    """That share of the writes is applied, and its answer lost."""
    slowness: float = 1.0
    down: list[tuple[float, float]] = field(default_factory=list)
    """When it was down so far, in virtual seconds; the last one's end is infinite while it lasts."""

    def go_down(self, seconds: float) -> None:
        """Refuse everything from now on."""
        self.outages += 1
        self.down.append((seconds, inf))

    def come_up(self, seconds: float) -> None:
        """Answer again, unless another outage lasts."""
        self.outages -= 1
        if not self.outages:
            self.down = [(start, min(end, seconds)) for start, end in self.down]


class UnsteadyStore:
    """`store` behind a network: every question of `process` goes through here."""

    def __init__(self, store: Store, process: Process, weather: Weather, record: Record, *, luck: Random) -> None:
        self._store = store
        self._process = process
        self._weather = weather
        self._record = record
        self._luck = luck

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)

        def ask(*args: Any, **options: Any) -> Any:
            return self._ask(name, method, args, options)

        # Asked for once, and then found without this detour.
        self.__dict__[name] = ask
        return ask

    def _ask(self, name: str, method: Callable[..., Any], args: Sequence[Any], options: dict[str, Any]) -> Any:
        weather = self._weather
        self._process.check_alive()
        self._process.sleep(self._luck.uniform(*ANSWER_SECONDS) * weather.slowness)
        if weather.outages:
            self._record.note("store refuses", name)
            raise StoreError(name, "connection refused")
        answer = method(*args, **options)
        self._watch(name, args)
        if weather.lost_answers and name in _WRITES and self._luck.random() < weather.lost_answers:
            self._record.note("answer lost", name)
            raise StoreError(name, "the answer was lost")
        return answer

    def _watch(self, name: str, args: Sequence[Any]) -> None:
        if name == "put_trades":
            trades = cast(Sequence[Trade], args[1])
            self._record.note(name, f"{self._process.name} {len(trades)} {trades[-1].symbol} {trades[-1].id}")
            self._record.keeps((trade.symbol, trade.id) for trade in trades)
        elif name == "put_candles":
            for candle in cast(Sequence[Candle], args[0]):
                self._see(candle)
        elif name in _WRITES:
            self._record.note(name, self._process.name)

    def _see(self, candle: Candle) -> None:
        """A closed candle is never written before the exchange's time has passed its end."""
        text = f"{self._process.name} {candle.symbol} {candle.open_time:%d %H:%M} {candle.source.label} {candle.volume}"
        self._record.note("put_candles", text)
        if candle.source is Source.PROVEN:
            self._record.proved_by.setdefault((candle.symbol, candle.open_time), self._process.name)
        if candle.complete and candle.close_time > self._record.time.now():
            self._record.breaks(f"written as {candle.source.label} before its end: {text}")


def through(store: Store, process: Process, weather: Weather, record: Record, *, luck: Random) -> Store:
    """The store as `process` sees it."""
    return cast(Store, UnsteadyStore(store, process, weather, record, luck=luck))
