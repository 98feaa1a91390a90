"""cryptofeed 2.4.1's own Coinbase handler, and its OHLCV aggregation.

Its Coinbase speaks the Advanced Trade feed only, so it is given the same trades as `market_trades` frames of one trade.
Its OHLCV (backends/aggregate.py) needs numpy, which it does not install, and cuts windows by the wall clock, so that it
cannot be fed a tape: the class below does the same sums in the same way, with windows cut by the trade's time.
"""

# mypy: ignore-errors
# cryptofeed has no types, and is installed only where benchmarks run.

import asyncio
from decimal import Decimal

from cryptofeed.defines import COINBASE, TRADES
from cryptofeed.exchanges.coinbase import Coinbase
from cryptofeed.symbols import Symbols

from benchmarks.candles import Key, PlainCandle
from benchmarks.tape import Tape

WINDOW_SECONDS = 60


class OhlcvByTradeTime:
    """cryptofeed's OHLCV with `trade.timestamp` where it has `time.time()`, and windows on whole minutes."""

    def __init__(self, handler) -> None:
        self.handler = handler
        self.window = WINDOW_SECONDS
        self.last_update = 0
        self.data = {}

    def _agg(self, symbol, amount, price) -> None:
        if symbol not in self.data:
            self.data[symbol] = {
                "open": price,
                "high": price,
                "low": price,
                "close": price,
                "volume": Decimal(0),
                "vwap": Decimal(0),
            }
        self.data[symbol]["close"] = price
        self.data[symbol]["volume"] += amount
        self.data[symbol]["high"] = max(self.data[symbol]["high"], price)
        self.data[symbol]["low"] = min(self.data[symbol]["low"], price)
        self.data[symbol]["vwap"] += price * amount

    async def __call__(self, trade, receipt_timestamp: float) -> None:
        now = trade.timestamp
        if now - self.last_update >= self.window:
            await self.end_window()
            self.last_update = now - now % self.window
        self._agg(trade.symbol, trade.amount, trade.price)

    async def end_window(self) -> None:
        """What OHLCV does at the end of a window."""
        for symbol in self.data:
            self.data[symbol]["vwap"] /= self.data[symbol]["volume"]
        if self.data:
            await self.handler((self.last_update, self.data))
        self.data = {}


class CryptofeedCoinbase:
    """Frames through `message_handler` into the trades callback, as its connection handler would."""

    def __init__(self, name: str, tape: Tape, *, portion_frames: int) -> None:
        self.name = name
        # As its websockets library hands them over: text.
        self._frames = [frame.decode() for frame in tape.market_trades]
        self._portion_frames = portion_frames
        self._windows = []
        self._ohlcv = OhlcvByTradeTime(self._keep)
        self._loop = asyncio.new_event_loop()
        Symbols.set(COINBASE, {symbol: symbol for symbol in tape.symbols}, {})
        self._feed = Coinbase(symbols=list(tape.symbols), channels=[TRADES], callbacks={TRADES: self._ohlcv})

    async def _keep(self, window) -> None:
        self._windows.append(window)

    def work(self, portion: int) -> None:
        """Portion `portion` of the tape."""
        self._loop.run_until_complete(self._play(portion))

    async def _play(self, portion: int) -> None:
        handle = self._feed.message_handler
        first = portion * self._portion_frames
        for frame in self._frames[first : first + self._portion_frames]:
            await handle(frame, None, 0.0)

    def candles(self) -> dict[Key, PlainCandle]:
        """What it made; ends the last window."""
        self._loop.run_until_complete(self._ohlcv.end_window())
        return {
            (symbol, int(start) * 10**9): PlainCandle(
                data["open"], data["high"], data["low"], data["close"], data["volume"], vwap=data["vwap"]
            )
            for start, window in self._windows
            for symbol, data in window.items()
        }

    def close(self) -> None:
        """End the loop."""
        self._loop.close()
