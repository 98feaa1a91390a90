"""Binance's combined streams, as wss://data-stream.binance.vision/stream speaks them: `trade`, `aggTrade`, `kline`.

Source: docs/add-an-exchange.md#binance. Klines come every two seconds where something was traded, the last word of a
minute with the first beat after it; a stream of a symbol that is not listed is acknowledged and says nothing.
"""

from bisect import bisect_left
from collections import deque
from datetime import datetime, timedelta

import msgspec
from marketdata.model.trade import Trade

from local.exchanges.binance_market import Aggregates, BinanceMarket
from local.exchanges.binance_wire import aggregate_event, encode, kline_event, opening, opening_of, trade_event
from local.exchanges.faults import Faults
from local.exchanges.session import Every, FellBehind, TradeLine

STREAMS_MAX = 1024
MESSAGES_A_SECOND_MAX = 5
_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")


class _Request(msgspec.Struct):
    method: str
    id: int | str | None = None
    params: list[str] = []


class BinanceSession:
    """One client's streams and what it has yet to be told."""

    def __init__(self, market: BinanceMarket, faults: Faults, connection: int, now: datetime) -> None:
        # Unlike Coinbase's, a connection without a subscription may stay.
        self.subscribed = True
        self._market = market
        self._faults = faults
        self._connection = connection
        self._streams: dict[str, None] = {}
        self._lines: dict[str, TradeLine] = {}
        self._klines: dict[str, _Kline] = {}
        self._asked: deque[datetime] = deque(maxlen=MESSAGES_A_SECOND_MAX + 1)
        self._banned = False
        self._second = Every(timedelta(seconds=1), now)
        self._beat = Every(timedelta(seconds=2), now)

    def receive(self, text: str, now: datetime) -> list[str]:
        """The answer to a request; whoever asks more than five times a second is cut off."""
        self._asked.append(now)
        if len(self._asked) > MESSAGES_A_SECOND_MAX and now - self._asked[0] < timedelta(seconds=1):
            self._banned = True
        try:
            request = msgspec.json.decode(text, type=_Request)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            return [_error(3, f"Invalid JSON: {error}", None)]
        return [self._answer(request, now)]

    def _answer(self, request: _Request, now: datetime) -> str:
        if request.method not in _METHODS:
            variants = ", ".join(f"`{method}`" for method in _METHODS)
            return _error(
                2, f"Invalid request: unknown variant {request.method}, expected one of {variants}", request.id
            )
        if request.method == "LIST_SUBSCRIPTIONS":
            return encode({"result": list(self._streams), "id": request.id})
        if request.method == "SUBSCRIBE":
            if len({*self._streams, *request.params}) > STREAMS_MAX:
                return _error(2, "Invalid request: too many streams", request.id)
            for stream in request.params:
                self._follow(stream, now)
        elif request.method == "UNSUBSCRIBE":
            for stream in request.params:
                for kept in (self._streams, self._lines, self._klines):
                    kept.pop(stream, None)
        return encode({"result": None, "id": request.id})

    def _follow(self, stream: str, now: datetime) -> None:
        if stream in self._streams:
            return
        self._streams[stream] = None
        symbol, _, kind = stream.partition("@")
        if symbol.upper() not in self._market.products:
            return
        if kind in ("trade", "aggTrade"):
            source = self._market if kind == "trade" else Aggregates(self._market)
            self._lines[stream] = TradeLine(source, symbol.upper(), self._faults, self._connection, now)
        elif kind in ("kline_1m", "kline_1s"):
            self._klines[stream] = _Kline(symbol.upper(), kind.removeprefix("kline_"), self._market, now)

    def tick(self, now: datetime) -> list[str]:
        """Trades since the last tick, and the candles whose beat it is. Raises: FellBehind."""
        if self._banned:
            raise FellBehind("more than five messages a second")
        frames = [frame for stream, line in self._lines.items() for frame in self._told(stream, line, now)]
        due = {"1s": self._second.is_due(now), "1m": self._beat.is_due(now)}
        for stream, kline in self._klines.items():
            if due[kline.interval] and not self._faults.mutes_heartbeats(kline.symbol):
                frames += [self._frame(stream, event) for event in kline.updates(now)]
        if due["1s"] and self._faults.unknowns:
            frames.append(self._frame("!unheard@arr", {"e": "unheardOf", "E": 1}))
        return frames

    def _told(self, stream: str, line: TradeLine, now: datetime) -> list[str]:
        single = stream.endswith("@trade")
        trades = line.due(now)
        numbers = [0] * len(trades) if single else [self._number(trade, now) for trade in trades]
        return [
            self._frame(stream, trade_event(trade, now) if single else aggregate_event(trade, number, now))
            for trade, number in zip(trades, numbers, strict=True)
        ]

    def _number(self, trade: Trade, now: datetime) -> int:
        return bisect_left(self._market.aggregates(trade.symbol, now), trade.id, key=lambda one: one.id)

    def _frame(self, stream: str, event: dict[str, object]) -> str:
        if self._faults.unknowns:
            unheard_of: dict[str, object] = {"unheard_of": {"since": 2031}}
            return encode({"stream": stream, "data": event | unheard_of, "z": [1]})
        return encode({"stream": stream, "data": event})


class _Kline:
    """One candle stream: what it last said."""

    def __init__(self, symbol: str, interval: str, market: BinanceMarket, now: datetime) -> None:
        self.symbol = symbol
        self.interval = interval
        self._market = market
        self._opens = opening(now, interval)
        self._told_id = -1

    def updates(self, now: datetime) -> list[dict[str, object]]:
        """The last word of the bucket before, if one has ended, and the one that goes on, if it has changed."""
        opens = opening(now, self.interval)
        events: list[dict[str, object]] = []
        if opens > self._opens and (trades := self._market.trades(self.symbol, self._opens, opens)):
            # After a leap of the clock the buckets between are passed over, as a late client would find it.
            last = opening_of(trades[-1], self.interval)
            trades = [trade for trade in trades if opening_of(trade, self.interval) == last]
            events.append(kline_event(self.symbol, self.interval, last, trades, now=now, closed=True))
        self._opens = opens
        trades = self._market.trades(self.symbol, opens, now)
        if self.interval == "1s" or (trades and trades[-1].id != self._told_id):
            events.append(kline_event(self.symbol, self.interval, opens, trades, now=now, closed=False))
            self._told_id = trades[-1].id if trades else self._told_id
        return events


def _error(code: int, message: str, request_id: int | str | None) -> str:
    return encode({"error": {"code": code, "msg": message}, "id": request_id})
