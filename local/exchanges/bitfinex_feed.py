"""The WebSocket, as wss://api-pub.bitfinex.com/ws/2 speaks it: the channel `trades`, and `conf`.

Source: docs/add-an-exchange.md#bitfinex.
"""

from datetime import datetime, timedelta

import msgspec

from local.exchanges.bitfinex_wire import encode, milliseconds, symbols, trade_row
from local.exchanges.faults import Faults
from local.exchanges.session import Every, TradeLine
from local.exchanges.tape import Market

CHANNELS_MAX = 25
SNAPSHOT_TRADES = 30
TIMESTAMPS, SEQUENCES = 32_768, 65_536

_HEARTBEAT = timedelta(seconds=15)
_INFO = {"event": "info", "version": 2, "serverId": "5a0f1c7e-simulated", "platform": {"status": 1}}


class BitfinexSession:
    """One client's channels and what it has yet to be told."""

    # Bitfinex lets a connection be that asks for nothing.
    subscribed = True

    def __init__(self, tape: Market, faults: Faults, connection: int, now: datetime) -> None:
        self._tape = tape
        self._faults = faults
        self._connection = connection
        self._listed = symbols(tape.products.values())
        self._channels: dict[int, tuple[str, TradeLine]] = {}
        self._next_channel = 1_000 * connection + 17
        self._flags = 0
        self._sequence = 0
        self._greeted = False
        self._beat = Every(_HEARTBEAT, now)

    def receive(self, text: str, now: datetime) -> list[str]:
        """The answer to a request: for a subscription the acknowledgement and then the snapshot."""
        try:
            request = msgspec.json.decode(text, type=dict[str, object])
        except (msgspec.DecodeError, RecursionError):
            return [*self._greet(), encode({"event": "error", "msg": "Malformed JSON", "code": 10_000})]
        answers = {"conf": self._conf, "subscribe": self._subscribe, "unsubscribe": self._unsubscribe}
        answer = answers.get(str(request.get("event")), self._unknown)
        return [*self._greet(), *answer(request, now)]

    def tick(self, now: datetime) -> list[str]:
        """Each trade since the last tick as `te` and `tu`, and now and then a heartbeat for each channel."""
        frames = self._greet()
        for channel, (_, line) in self._channels.items():
            for trade in line.due(now):
                row = trade_row(trade)
                frames += [self._array(channel, now, "te", row), self._array(channel, now, "tu", row)]
        if self._beat.is_due(now):
            quiet = [channel for channel, (_, line) in self._channels.items() if self._beats(line.symbol)]
            frames += [self._array(channel, now, "hb") for channel in quiet]
            frames += [encode({"event": "auction", "since": 2031})] if self._faults.unknowns else []
        return frames

    def _beats(self, product: str) -> bool:
        return not self._faults.mutes_heartbeats(product)

    def _greet(self) -> list[str]:
        greeted, self._greeted = self._greeted, True
        return [] if greeted else [self._object(_INFO)]

    def _conf(self, request: dict[str, object], now: datetime) -> list[str]:
        flags = request.get("flags")
        if not isinstance(flags, int):
            return [self._object({"event": "conf", "status": "FAILED"})]
        self._flags = flags
        return [self._object({"event": "conf", "status": "OK", "flags": flags})]

    def _subscribe(self, request: dict[str, object], now: datetime) -> list[str]:
        symbol, refused = str(request.get("symbol", "")), self._refusal(request)
        if refused:
            code, reason = refused
            error = {"event": "error", "msg": reason, "code": code, "channel": request.get("channel")}
            return [self._object({**error, "symbol": symbol})]
        channel, product = self._next_channel, self._listed[symbol]
        self._next_channel += 1
        newest = self._tape.newest_id(product, now)
        trades = self._tape.trades_by_id(product, newest - SNAPSHOT_TRADES + 1, newest + 1)
        self._channels[channel] = (symbol, TradeLine(self._tape, product, self._faults, self._connection, now))
        document = {"event": "subscribed", "channel": "trades", "chanId": channel, "symbol": symbol}
        snapshot = [trade_row(trade) for trade in reversed(trades)]
        return [self._object({**document, "pair": symbol[1:]}), self._array(channel, now, snapshot)]

    def _refusal(self, request: dict[str, object]) -> tuple[int, str] | None:
        symbol = request.get("symbol")
        if request.get("channel") != "trades":
            return 10_302, "channel: unknown"
        if symbol not in self._listed:
            return 10_300, "symbol: invalid"
        if symbol in {taken for taken, _ in self._channels.values()}:
            return 10_301, "subscribe: dup"
        return (10_305, "Reached limit of open channels") if len(self._channels) >= CHANNELS_MAX else None

    def _unsubscribe(self, request: dict[str, object], now: datetime) -> list[str]:
        channel = request.get("chanId")
        if not isinstance(channel, int) or self._channels.pop(channel, None) is None:
            return [self._object({"event": "error", "msg": "unsubscribe: invalid", "code": 10_400})]
        return [self._object({"event": "unsubscribed", "status": "OK", "chanId": channel})]

    def _unknown(self, request: dict[str, object], now: datetime) -> list[str]:
        return [self._object({"event": "error", "msg": "event: unknown", "code": 10_000})]

    def _object(self, document: dict[str, object]) -> str:
        return encode({**document, "unheard_of": {"since": 2031}} if self._faults.unknowns else document)

    def _array(self, channel: int, now: datetime, *content: object) -> str:
        """What is said on a channel, with the sequence number and the time that the client asked for."""
        array: list[object] = [channel, *content]
        if self._flags & SEQUENCES:
            self._sequence += 1
            array.append(self._sequence)
        if self._flags & TIMESTAMPS:
            array.append(milliseconds(now))
        return encode([*array, {"since": 2031}] if self._faults.unknowns else array)
