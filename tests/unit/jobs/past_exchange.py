"""The simulated exchange's past over real HTTP, on a clock that passes only while someone waits for the exchange."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from marketdata.clock import FakeClock
from marketdata.exchanges.coinbase_rest import CoinbaseRest
from marketdata.exchanges.exchange import Request
from marketdata.jobs.exchange_past import ExchangePast
from marketdata.model.candle import Candle
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.net.rest import PacedBudget, Rest
from marketdata.store.memory import MemoryStore

from local.exchanges.faults import Faults
from tests.unit.jobs.test_follow_live import figures, from_tape
from tests.unit.local.exchanges.market import NOW, TAPE, simulator

BTC = Instrument("coinbase-simulated", "BTC-USD", "BTC", "USD", simulated=True)
DOGE = replace(BTC, symbol="DOGE-USD", base="DOGE")
QUIET = replace(BTC, symbol="ETH-BTC", base="ETH", quote="BTC")
MINUTE = timedelta(minutes=1)
LAST = NOW.replace(second=0) - 5 * MINUTE
"""The end of what the tests ask for: long closed."""

Rows = list[Any]
Lie = Callable[[Request, Rows], object]


def ago(end: float, *, minutes: float) -> Span:
    """The span of so many minutes that ended `end` minutes before LAST."""
    until = LAST - timedelta(minutes=end)
    return Span(until - timedelta(minutes=minutes), until)


class PastExchange:
    """The exchange, and whoever asks it. `lie` changes the rows of an answer; `asked` remembers every request."""

    def __init__(self, url: str, clock: FakeClock) -> None:
        self.url = url
        self.clock = clock
        self.store = MemoryStore()
        self.store.put_instruments([BTC, DOGE, QUIET])
        self.asked: list[Request] = []
        self.lie: Lie | None = None
        budget = PacedBudget(5, 10, self._seconds)
        self.rest = Rest("coinbase-simulated", url, budget, clock, sleep=self._sleep)
        adapter = CoinbaseRest("coinbase-simulated")
        self.past = ExchangePast(self._get, adapter, adapter)

    def paths(self, ending: str) -> list[Request]:
        """The requests for `candles` or `trades`."""
        return [request for request in self.asked if request.path.endswith(ending)]

    def _get(self, request: Request) -> bytes:
        self.asked.append(request)
        body = self.rest.get(request)
        return body if self.lie is None else json.dumps(self.lie(request, json.loads(body))).encode()

    def _seconds(self) -> float:
        return (self.clock.now() - NOW).total_seconds()

    def _sleep(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))


@contextlib.asynccontextmanager
async def past_exchange(faults: Faults | None = None) -> AsyncIterator[PastExchange]:
    """The simulator listening, and a store that follows three of its products and holds nothing."""
    clock = FakeClock(NOW)
    async with simulator(clock, faults) as server:
        made = PastExchange(server.url, clock)
        try:
            yield made
        finally:
            made.rest.close()


def tape_candles(instrument: Instrument, span: Span) -> list[Candle]:
    """What the tape says of a span, as a proven store would hold it."""
    return [figures(one) for one in from_tape(instrument, span.start, span.end)]


def outline(candle: Candle) -> tuple[object, ...]:
    """What an exchange's own candle says."""
    return candle.open_time, candle.open, candle.high, candle.low, candle.close, candle.volume


def tape_outlines(instrument: Instrument, span: Span) -> list[tuple[object, ...]]:
    """The outlines of a span's minutes, without drawing their trades."""
    bars = ((minute.start, TAPE.bar(instrument.symbol, minute)) for minute in _minutes(span))
    return [(opens, bar.open, bar.high, bar.low, bar.close, bar.volume) for opens, bar in bars if bar]


def empty_minutes(instrument: Instrument, span: Span) -> list[Span]:
    """The minutes of a span in which the tape has no trades."""
    return [minute for minute in _minutes(span) if TAPE.bar(instrument.symbol, minute) is None]


def _minutes(span: Span) -> Iterator[Span]:
    start = span.start
    while start < span.end:
        yield Span(start, start + MINUTE)
        start += MINUTE
