"""One client of a simulated stream, without a socket: requests come in, frames go out, time is an argument."""

from collections import deque
from datetime import datetime, timedelta
from typing import Protocol

from marketdata.model.trade import Trade

from local.exchanges.faults import Fault, Faults

BACKLOG_TRADES_MAX = 20_000
"""How far one connection may fall behind the tape; about a quarter of an hour of the whole market."""


class FellBehind(Exception):
    """The clock leapt further than a live connection survives."""


class Session(Protocol):
    """What a stream's shell asks of a protocol."""

    subscribed: bool
    """Whether the client has ever subscribed to anything."""

    def receive(self, text: str, now: datetime) -> list[str]:
        """The frames that answer a request."""
        ...

    def tick(self, now: datetime) -> list[str]:
        """The frames that are due. Raises: FellBehind."""
        ...


class TradeSource(Protocol):
    """Trades that a stream tells of, by id."""

    def newest_id(self, symbol: str, time: datetime) -> int:
        """The id of the last trade before `time`."""
        ...

    def trades_by_id(self, symbol: str, first: int, end: int) -> list[Trade]:
        """The trades with `first` <= id < `end`, ordered by id."""
        ...


class Every:
    """Something that is due once each `period`; after a leap of the clock it is due once, not many times."""

    def __init__(self, period: timedelta, now: datetime) -> None:
        self._period = period
        self._next = now + period

    def is_due(self, now: datetime) -> bool:
        """Whether it is; asking uses it up."""
        if now < self._next:
            return False
        on_time = self._next + self._period
        self._next = on_time if on_time > now else now + self._period
        return True


class TradeLine:
    """The trades of one product that one connection still has to be told of, after what faults do to them."""

    def __init__(self, tape: TradeSource, symbol: str, faults: Faults, connection: int, now: datetime) -> None:
        self.symbol = symbol
        self._tape = tape
        self._faults = faults
        self._connection = connection
        self._told_id = tape.newest_id(symbol, now)
        self._held: deque[tuple[datetime, Trade]] = deque()

    def due(self, now: datetime) -> list[Trade]:
        """The trades to send now: new ones by id, then those held back long enough. Raises: FellBehind."""
        newest_id = self._tape.newest_id(self.symbol, now)
        if newest_id - self._told_id + len(self._held) > BACKLOG_TRADES_MAX:
            raise FellBehind(self.symbol)
        trades = self._tape.trades_by_id(self.symbol, self._told_id + 1, newest_id + 1)
        self._told_id = max(self._told_id, newest_id)
        if self._faults.mutes_trades(self.symbol):
            return []
        return self._pass(trades, now) + self._release(now)

    def _pass(self, trades: list[Trade], now: datetime) -> list[Trade]:
        passed = []
        for trade in trades:
            if self._struck(Fault.DROP, trade):
                continue
            if self._struck(Fault.HOLD_BACK, trade):
                self._held.append((now + self._faults.delay, trade))
                continue
            passed.extend([trade] * (2 if self._struck(Fault.DUPLICATE, trade) else 1))
        return passed

    def _release(self, now: datetime) -> list[Trade]:
        released = []
        while self._held and self._held[0][0] <= now:
            released.append(self._held.popleft()[1])
        return released

    def _struck(self, fault: Fault, trade: Trade) -> bool:
        return self._faults.strikes(fault, self._connection, trade.symbol, trade.id)
