"""Bitfinex WebSocket v2: trades. Pure: frames in, events out. REST is in bitfinex_rest.py.

A frame is an object, or an array that begins with the number of a channel. What that number means only the `subscribed`
of the same connection says, so a decoder belongs to one connection. Every trade comes twice (`te`, `tu`) and counts
once; ids are global, so a jump means nothing, but we ask for frames to be numbered, and a jump of those is a loss.
Source: docs/add-an-exchange.md#bitfinex.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import InvalidOperation

import msgspec

from marketdata.errors import RemoteMalformed
from marketdata.exchanges.bitfinex_rest import (
    LEAST_TIME_MS,
    NAME,
    NANOSECONDS_A_MILLISECOND,
    TradeRow,
    in_time,
    trade_of,
)
from marketdata.exchanges.wire import excerpt
from marketdata.model.events import (
    CutAnnounced,
    Disconnected,
    Event,
    Heartbeat,
    Ignored,
    Malformed,
    Paused,
    Refused,
    Subscribed,
)
from marketdata.model.trade import Trade

WEBSOCKET_URL = "wss://api-pub.bitfinex.com/ws/2"
CHANNELS_A_CONNECTION = 25
TIMESTAMPS, SEQUENCES = 32_768, 65_536
"""Flags of `conf`: the exchange's time, and a number that counts up by one, at the end of every array."""
RESTART, MAINTENANCE_BEGINS, MAINTENANCE_ENDS = 20_051, 20_060, 20_061
ALREADY_SUBSCRIBED = 10_301
UNDER_MAINTENANCE = "the exchange is under maintenance"

CHANNELS_MAX = 1_000
IDS_REMEMBERED = 5_000


class _Platform(msgspec.Struct):
    status: int = 1


class _Message(msgspec.Struct):
    event: str
    channel: str = ""
    chan_id: int = msgspec.field(name="chanId", default=0)
    symbol: str = ""
    status: str = ""
    flags: int = 0
    code: int | None = None
    msg: str = ""
    version: int | None = None
    platform: _Platform | None = None


class BitfinexTrades:
    """The `trades` channel of each symbol, over one connection."""

    ids_contiguous = False
    # A heartbeat comes on every channel about each 15 s.
    silence_seconds_max = 25.0
    connection_seconds_max: float | None = None
    symbols_per_connection_max: int | None = CHANNELS_A_CONNECTION
    send_seconds_between = 0.0

    def __init__(self, url: str = WEBSOCKET_URL, name: str = NAME) -> None:
        self._url = url
        self.name = name
        self._decode = msgspec.json.Decoder(_Message | list[msgspec.Raw]).decode
        self._decode_text = msgspec.json.Decoder(str).decode
        self._decode_number = msgspec.json.Decoder(int).decode
        self._decode_row = msgspec.json.Decoder(TradeRow).decode
        self._decode_rows = msgspec.json.Decoder(list[msgspec.Raw]).decode
        self._asked: set[str] = set()
        self._connect()

    def _connect(self) -> None:
        self._symbols: dict[int, str] = {}
        self._flowing: set[str] = set()
        self._heard: dict[int, None] = {}
        self._numbered = False
        self._sequence: int | None = None
        self._time_ns = 0

    def session(self) -> "BitfinexTrades":
        """A decoder of its own for each connection: channel numbers mean something else on every one."""
        return BitfinexTrades(self._url, self.name)

    def url(self) -> str:
        """Where to connect; no key is needed."""
        return self._url

    def subscribe(self, symbols: Sequence[str]) -> list[str]:
        """One frame a symbol that is not asked for yet; the first time also one that wants times and sequences."""
        frames = [] if self._asked else [_text({"event": "conf", "flags": TIMESTAMPS | SEQUENCES})]
        new = [symbol for symbol in symbols if symbol not in self._asked]
        self._asked.update(new)
        return frames + [_text({"event": "subscribe", "channel": "trades", "symbol": symbol}) for symbol in new]

    def unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        """One frame a channel; a symbol that was never acknowledged has none."""
        self._asked.difference_update(symbols)
        channels = [channel for channel, symbol in self._symbols.items() if symbol in symbols]
        return [_text({"event": "unsubscribe", "chanId": channel}) for channel in channels]

    def decode(self, frame: str | bytes, received_at: datetime | None) -> Sequence[Event]:
        """The events in one frame. Raises: RemoteMalformed."""
        try:
            message = self._decode(frame)
            return self._read_array(message) if isinstance(message, list) else self._read_message(message)
        except (msgspec.DecodeError, ValueError, InvalidOperation, OverflowError, RecursionError) as error:
            raise RemoteMalformed(self.name, str(error), excerpt(frame)) from error

    # Arrays: what channels say

    def _read_array(self, items: list[msgspec.Raw]) -> Sequence[Event]:
        if len(items) < 2:
            raise ValueError("an array without a channel and something on it")
        channel, second = self._decode_number(items[0]), bytes(items[1])
        kind = self._decode_text(second) if second.startswith(b'"') else ""
        rest = items[3:] if kind and kind != "hb" else items[2:]
        lost = self._note_tail(rest)
        events = self._read_kind(self._symbols.get(channel), kind, items)
        if not lost:
            return events
        # What is lost is not known, so all of it: history up to here may have holes, and another connection repeats it.
        flowing = Subscribed(tuple(sorted(self._flowing)))
        return (Disconnected(lost), flowing, *events, CutAnnounced(lost))

    def _read_kind(self, symbol: str | None, kind: str, items: list[msgspec.Raw]) -> Sequence[Event]:
        if symbol is None:
            # Heartbeats come even on channels whose `subscribed` never came.
            return (Ignored("another channel"),)
        if kind == "hb":
            return (Heartbeat(symbol, None, self._time_ns),)
        if kind in ("te", "tu"):
            if len(items) < 3:
                raise ValueError(f"{kind} without a trade")
            return self._fresh([self._trade(self._decode_row(items[2]), symbol)])
        return (Ignored(kind[:100]),) if kind else self._read_snapshot(symbol, self._decode_rows(items[1]))

    def _read_snapshot(self, symbol: str, rows: list[msgspec.Raw]) -> list[Event]:
        """The newest trades, newest first on the wire: with them, what was missed while away is here again."""
        read = [self._read_row(row, symbol) for row in rows]
        trades = sorted((one for one in read if isinstance(one, Trade)), key=in_time)
        self._flowing.add(symbol)
        malformed = [one for one in read if isinstance(one, Malformed)]
        return [*self._fresh(trades), *malformed, Subscribed(tuple(sorted(self._flowing)))]

    def _read_row(self, row: msgspec.Raw, symbol: str) -> Trade | Malformed:
        """One trade; a bad one costs itself, not the snapshot."""
        try:
            return self._trade(self._decode_row(row), symbol)
        except (msgspec.DecodeError, ValueError, InvalidOperation, OverflowError) as error:
            return Malformed(f"trades: {error}", excerpt(bytes(row)))

    def _trade(self, row: TradeRow, symbol: str) -> Trade:
        trade = trade_of(row, symbol)
        self._time_ns = max(self._time_ns, trade.time_ns)
        return trade

    def _fresh(self, trades: Sequence[Trade]) -> list[Trade]:
        """The trades that this connection has not told of yet."""
        fresh = [trade for trade in trades if trade.id not in self._heard]
        self._heard.update((trade.id, None) for trade in fresh)
        while len(self._heard) > IDS_REMEMBERED:
            del self._heard[next(iter(self._heard))]
        return fresh

    def _note_tail(self, tail: Sequence[msgspec.Raw]) -> str:
        """Take the sequence number and the time at the end of an array; returns what shows a loss, if anything does."""
        numbers = [self._decode_number(item) for item in tail if bytes(item).isdigit()]
        lost = ""
        for number in numbers:
            if number >= LEAST_TIME_MS:
                self._time_ns = max(self._time_ns, number * NANOSECONDS_A_MILLISECOND)
            elif self._numbered:
                if self._sequence is not None and number > self._sequence + 1:
                    lost = f"frames {self._sequence + 1} to {number - 1} did not come"
                self._sequence = max(number, self._sequence or 0)
        return lost

    # Objects: what the connection says

    def _read_message(self, message: _Message) -> Sequence[Event]:
        if message.event == "subscribed":
            return self._note_channel(message)
        if message.event == "unsubscribed":
            self._flowing.discard(self._symbols.pop(message.chan_id, ""))
            return (Subscribed(tuple(sorted(self._flowing))),)
        if message.event == "info":
            return self._read_info(message)
        if message.event == "error" and message.code != ALREADY_SUBSCRIBED:
            self._asked.discard(message.symbol)
            return (Refused(f"{message.symbol} {message.msg} ({message.code})".strip()),)
        if message.event == "conf":
            self._numbered = message.status == "OK" and bool(message.flags & SEQUENCES)
        return (Ignored(message.event[:100]),)

    def _note_channel(self, message: _Message) -> Sequence[Event]:
        """The acknowledgement counts once the snapshot has come: what follows that has just happened."""
        if message.channel != "trades":
            return (Ignored(f"subscribed {message.channel[:80]}"),)
        if not message.symbol or len(self._symbols) >= CHANNELS_MAX:
            raise ValueError(f"subscribed: channel {message.chan_id} of {message.symbol!r}")
        self._symbols[message.chan_id] = message.symbol
        return ()

    def _read_info(self, message: _Message) -> Sequence[Event]:
        if message.code == RESTART:
            return (CutAnnounced("the exchange restarts its servers"),)
        if message.code == MAINTENANCE_ENDS:
            return (CutAnnounced("the maintenance is over"),)
        shut = message.platform is not None and message.platform.status == 0
        events: list[Event] = [Paused(UNDER_MAINTENANCE)] if shut or message.code == MAINTENANCE_BEGINS else []
        if message.version is not None and self._symbols:
            # In a recording: the greeting of the next connection.
            self._connect()
            events.insert(0, Disconnected("another connection was made"))
        return events or (Ignored("info"),)


def _text(document: object) -> str:
    return msgspec.json.encode(document).decode()
