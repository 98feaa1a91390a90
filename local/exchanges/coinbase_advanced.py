"""The Advanced Trade feed, as wss://advanced-trade-ws.coinbase.com speaks it: `market_trades` and `heartbeats`.

One channel a request; updates are collected for 250 ms, one message a product, newest trade first; `sequence_num`
counts every message of a connection. Source: docs/add-an-exchange.md#coinbase.
"""

from datetime import datetime, timedelta

from marketdata.model.trade import Trade

from local.exchanges.coinbase_wire import Refusal, encode, market_trade, parse_request, requested_products, trimmed
from local.exchanges.faults import Faults
from local.exchanges.session import Every, TradeLine
from local.exchanges.tape import Market

SNAPSHOT_TRADES = 100

_MARKET_TRADES, _HEARTBEATS = "market_trades", "heartbeats"
_BATCH = timedelta(milliseconds=250)


class AdvancedSession:
    """One client's subscriptions and what it has yet to be told."""

    def __init__(self, tape: Market, faults: Faults, connection: int, now: datetime) -> None:
        self.subscribed = False
        self._tape = tape
        self._faults = faults
        self._connection = connection
        self._lines: dict[str, TradeLine] = {}
        self._heartbeats = False
        self._heartbeat_counter = 0
        self._sequence_num = 0
        self._batch = Every(_BATCH, now)
        self._second = Every(timedelta(seconds=1), now)

    def receive(self, text: str, now: datetime) -> list[str]:
        """The answer to a request: a snapshot for each product newly followed, then `subscriptions`; or `error`."""
        try:
            request = parse_request(text)
            symbols = _symbols(request, self._tape)
        except Refusal as refusal:
            return [self._frame({"type": "error", "message": str(refusal)})]
        frames = self._subscribe(symbols, now) if request["type"] == "subscribe" else self._unsubscribe(symbols)
        return [*frames, self._subscriptions(now)]

    def tick(self, now: datetime) -> list[str]:
        """Batches of trades each 250 ms, a heartbeat each second. Raises: FellBehind."""
        frames: list[str] = []
        if self._batch.is_due(now):
            batches = [line.due(now) for line in self._lines.values()]
            frames.extend(self._trades("update", trades, now) for trades in batches if trades)
        if self._second.is_due(now) and self._heartbeats:
            frames.append(self._heartbeat(now))
            if self._faults.unknowns:
                frames.append(self._message("futures_balance_summary", [{"type": "snapshot"}], now))
        return frames

    def _subscribe(self, symbols: list[str] | None, now: datetime) -> list[str]:
        """`symbols` is None for the channel without products, `heartbeats`."""
        self.subscribed = True
        if symbols is None:
            self._heartbeats = True
            return []
        new = [symbol for symbol in dict.fromkeys(symbols) if symbol not in self._lines]
        for symbol in new:
            self._lines[symbol] = TradeLine(self._tape, symbol, self._faults, self._connection, now)
        return [self._snapshot(symbol, now) for symbol in new]

    def _unsubscribe(self, symbols: list[str] | None) -> list[str]:
        if symbols is None:
            self._heartbeats = False
        for symbol in symbols or []:
            self._lines.pop(symbol, None)
        return []

    def _snapshot(self, symbol: str, now: datetime) -> str:
        end = self._tape.next_id(symbol, now)
        return self._trades("snapshot", self._tape.trades_by_id(symbol, end - SNAPSHOT_TRADES, end), now)

    def _subscriptions(self, now: datetime) -> str:
        state = {_HEARTBEATS: [_HEARTBEATS] if self._heartbeats else [], _MARKET_TRADES: list(self._lines)}
        subscriptions = {channel: symbols for channel, symbols in state.items() if symbols}
        return self._message("subscriptions", [{"subscriptions": subscriptions}], now)

    def _trades(self, kind: str, trades: list[Trade], now: datetime) -> str:
        newest_first = [market_trade(trade) for trade in reversed(trades)]
        return self._message(_MARKET_TRADES, [{"type": kind, "trades": newest_first}], now)

    def _heartbeat(self, now: datetime) -> str:
        self._heartbeat_counter += 1
        # Their server prints a Go time: wall clock, zone, and seconds since it started.
        current_time = f"{now:%Y-%m-%d %H:%M:%S.%f} +0000 UTC m=+{self._heartbeat_counter}.000000001"
        event = {"current_time": current_time, "heartbeat_counter": self._heartbeat_counter}
        return self._message(_HEARTBEATS, [event], now)

    def _message(self, channel: str, events: list[dict[str, object]], now: datetime) -> str:
        number, self._sequence_num = self._sequence_num, self._sequence_num + 1
        document: dict[str, object] = {"channel": channel, "timestamp": trimmed(now), "sequence_num": number}
        return self._frame({**document, "events": events})

    def _frame(self, document: dict[str, object]) -> str:
        return encode({**document, "unheard_of": {"since": 2031}} if self._faults.unknowns else document)


def _symbols(request: dict[str, object], tape: Market) -> list[str] | None:
    """The products asked for; None for `heartbeats`, which has none. Raises: Refusal."""
    channel = request.get("channel")
    if channel == _HEARTBEATS:
        return None
    if channel != _MARKET_TRADES:
        raise Refusal(f"{channel} is not a valid channel")
    return requested_products(request.get("product_ids"), tape.products)
