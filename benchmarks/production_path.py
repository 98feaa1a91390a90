"""Our own designs: from a frame's bytes to exact candles with continuity fields, by the production code.

Three cuts of one path, each with more around the same core: adapter and bars; with the feed's follower; inside the
stream's own loop. What a tick of the feed does to the bars is done once per FLUSH_EVERY frames, which is a tick of
250 ms at 4,000 messages a second.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import datetime

import msgspec
from marketdata.clock import SystemClock
from marketdata.compute.bars import Bars
from marketdata.exchanges.coinbase import CoinbaseExchange
from marketdata.exchanges.coinbase_advanced import CoinbaseAdvanced
from marketdata.exchanges.exchange import LiveTrades
from marketdata.jobs.followed_exchange import BUCKETS_KEPT, FollowedExchange
from marketdata.model.candle import Candle, Source
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Trade
from marketdata.net.stream import Patience, Stream

from benchmarks.candles import Key, PlainCandle
from benchmarks.tape import START, Tape

FLUSH_EVERY = 1_000
TRADES_KEPT_MAX = 100_000


class Made:
    """The latest state of every candle."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, datetime], Candle] = {}

    def take(self, all_bars: Iterable[Bars]) -> None:
        """Take what changed."""
        for bars in all_bars:
            for change in bars.take():
                self._latest[change.candle.symbol, change.candle.open_time] = change.candle
            bars.take_empty()
            bars.take_late()

    def candles(self) -> dict[Key, PlainCandle]:
        """In the form that all designs are compared in."""
        return {
            (symbol, nanoseconds(open_time)): _plain(candle) for (symbol, open_time), candle in self._latest.items()
        }

    def unproven(self) -> int:
        """How many candles are not proven complete: the first and the last of a product cannot be."""
        return sum(candle.source is not Source.PROVEN for candle in self._latest.values())


def _plain(candle: Candle) -> PlainCandle:
    return PlainCandle(
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        candle.volume,
        candle.quote_volume,
        trades=candle.trades,
        taker_buy_volume=candle.taker_buy_volume,
        first_id=candle.first_id,
        last_id=candle.last_id,
    )


class DecodeAndBars:
    """Frame, adapter, bars, candles: the way of replay and of every repair, and the core of the live feed."""

    def __init__(self, name: str, tape: Tape, *, portion_frames: int, advanced: bool = False) -> None:
        self.name = name
        self._frames = tape.market_trades if advanced else tape.matches
        self._portion_frames = portion_frames
        exchange: LiveTrades = CoinbaseAdvanced() if advanced else CoinbaseExchange()
        self._decode = exchange.decode
        self._bars = {symbol: _bars(exchange, symbol) for symbol in tape.symbols}
        self._made = Made()

    def work(self, portion: int) -> None:
        """Portion `portion` of the tape."""
        decode, bars, received_at = self._decode, self._bars, START
        for frames in _between_ticks(self._frames, portion, self._portion_frames):
            for frame in frames:
                for event in decode(frame, received_at):
                    if type(event) is Trade:
                        bars[event.symbol].add(event)
            self._made.take(bars.values())

    def candles(self) -> dict[Key, PlainCandle]:
        """What it made so far."""
        return self._made.candles()

    def unproven(self) -> int:
        """How many of its candles are not proven complete."""
        return self._made.unproven()

    def close(self) -> None:
        """Nothing to end."""


class Follower:
    """Frame, adapter, follower, bars, candles: what the live feed does with a frame, trades kept for the store too."""

    def __init__(self, name: str, tape: Tape, *, portion_frames: int) -> None:
        self.name = name
        self._frames = tape.matches
        self._portion_frames = portion_frames
        exchange = CoinbaseExchange()
        self._decode = exchange.decode
        self._tick = FollowerTick(Stream(exchange, clock=SystemClock()), tape.symbols)

    def work(self, portion: int) -> None:
        """Portion `portion` of the tape."""
        decode, handle, received_at = self._decode, self._tick.followed.handle, START
        for frames in _between_ticks(self._frames, portion, self._portion_frames):
            for frame in frames:
                handle(decode(frame, received_at))
            self._tick.tick()

    def candles(self) -> dict[Key, PlainCandle]:
        """What it made so far."""
        return self._tick.made.candles()

    def close(self) -> None:
        """Nothing to end."""


class FollowerTick:
    """A follower, and what the feed's tick does with its bars; the store and the hub are left out."""

    def __init__(self, stream: Stream, symbols: Sequence[str]) -> None:
        self.followed = FollowedExchange(stream, keep_trades=True, trades_max=TRADES_KEPT_MAX)
        self.followed.follow(symbols)
        self.made = Made()

    def tick(self) -> None:
        """One tick: the candles that changed, and the trades that are to be kept."""
        self.made.take(self.followed.bars.values())
        self.followed.forget_trades(len(self.followed.take_trades(TRADES_KEPT_MAX)))


def _bars(exchange: LiveTrades, symbol: str) -> Bars:
    return Bars(exchange.name, symbol, ids_contiguous=exchange.ids_contiguous, buckets_max=BUCKETS_KEPT)


def _between_ticks(frames: Sequence[bytes], portion: int, portion_frames: int) -> Iterator[Sequence[bytes]]:
    """The frames of one portion, as many at a time as come between two ticks."""
    first = portion * portion_frames
    end = first + portion_frames
    for start in range(first, end, FLUSH_EVERY):
        yield frames[start : min(start + FLUSH_EVERY, end)]


class WholeStream:
    """The same, inside the loop that reads the feed's connection: clock, watchdog and status included, no socket."""

    def __init__(self, name: str, tape: Tape, *, portion_frames: int) -> None:
        self.name = name
        self._tape = tape
        self._portion_frames = portion_frames
        self._loop = asyncio.new_event_loop()
        # The watchdog rests: between our turns the exchange is silent for as long as the others take.
        patience = Patience(watch_seconds=3_600)
        stream = Stream(CoinbaseExchange(), clock=SystemClock(), connect=self._connect, patience=patience)
        self._tick = FollowerTick(stream, tape.symbols)
        self._connection = _TapeConnection(self._tick.tick)
        self._reading = self._loop.create_task(stream.run(self._tick.followed.handle))
        stream.follow(tape.symbols)
        self._loop.run_until_complete(self._connection.play([_subscriptions(tape.symbols)]))

    @contextlib.asynccontextmanager
    async def _connect(self, _url: str) -> AsyncIterator["_TapeConnection"]:
        yield self._connection

    def work(self, portion: int) -> None:
        """Portion `portion` of the tape."""
        first = portion * self._portion_frames
        self._loop.run_until_complete(self._connection.play(self._tape.matches[first : first + self._portion_frames]))

    def candles(self) -> dict[Key, PlainCandle]:
        """What it made so far."""
        return self._tick.made.candles()

    def close(self) -> None:
        """End the loop."""
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._reading)
        self._loop.close()


class _TapeConnection:
    """A connection whose frames are there already; it waits when it has no more."""

    def __init__(self, on_flush: Callable[[], None]) -> None:
        self._on_flush = on_flush
        self._frames: Sequence[bytes] = ()
        self._at = 0
        self._more = asyncio.Event()
        self._played = asyncio.Event()

    async def play(self, frames: Sequence[bytes]) -> None:
        """Give out `frames`; returns when the reader comes back for more."""
        self._frames, self._at = frames, 0
        self._played.clear()
        self._more.set()
        await self._played.wait()

    async def send(self, message: str) -> None:
        """Nobody listens."""

    async def recv(self) -> bytes:
        """The next frame."""
        at = self._at
        if (at and at % FLUSH_EVERY == 0) or at == len(self._frames):
            self._on_flush()
            while self._at == len(self._frames):
                self._played.set()
                self._more.clear()
                await self._more.wait()
            at = self._at
        self._at = at + 1
        return self._frames[at]


def _subscriptions(symbols: Sequence[str]) -> bytes:
    channels = [{"name": name, "product_ids": list(symbols)} for name in ("matches", "heartbeat")]
    return msgspec.json.encode({"type": "subscriptions", "channels": channels})
