"""Binance spot, live: combined streams of `trade` or `aggTrade`, with `kline_1m` to check our candles by. Pure.

Binance sends no heartbeat, and says nothing of a symbol that nobody trades. Each connection therefore also follows one
clock, the one-second candle of a symbol that always trades; and each kline says which trade was the symbol's newest.
Source: docs/add-an-exchange.md#binance.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import InvalidOperation

import msgspec

from marketdata.errors import RemoteMalformed
from marketdata.exchanges.binance_wire import (
    NAME,
    AggregateMessage,
    KlineMessage,
    TradeMessage,
    epoch_nanoseconds,
    read_aggregate,
    read_claim,
    read_trade,
)
from marketdata.exchanges.exchange import LiveTrades
from marketdata.exchanges.wire import excerpt
from marketdata.model.events import CutAnnounced, Event, Heartbeat, Ignored, Refused, Subscribed
from marketdata.model.timeframe import M1
from marketdata.model.times import NANOSECONDS_A_SECOND

STREAM_URL = "wss://data-stream.binance.vision"
"""Market data only, without a key; wss://stream.binance.com:9443 says the same."""
CLOCK_SYMBOL = "BTCUSDT"
STREAMS_A_CONNECTION = 1024
STREAMS_A_REQUEST = 200
STREAMS_A_SYMBOL = 2

_ACKNOWLEDGED = "acknowledgement"
_ABSENT = msgspec.Raw(b"")
_WORD_STANDS_NS = 30 * NANOSECONDS_A_SECOND
"""How long after a candle's end its last word may come and still tell the time; longer, and another minute began."""
_KINDS = frozenset({"trade", "aggTrade", "kline"})


class _Combined(msgspec.Struct):
    data: TradeMessage | AggregateMessage | KlineMessage


class _Envelope(msgspec.Struct):
    """What any message may say of itself."""

    stream: str | None = None
    data: msgspec.Raw = _ABSENT
    e: str | None = None
    result: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT
    code: int | None = None
    msg: str = ""


class _Kind(msgspec.Struct):
    e: str | None = None


class _Error(msgspec.Struct):
    msg: str = ""


_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError, InvalidOperation)


class BinanceTrades:
    """The `trade` streams."""

    ids_contiguous = True
    # The clock ticks each second. Were it ever to stop, a healthy connection must not be cut for that too often.
    silence_seconds_max = 30.0
    # After 24 hours a connection is cut; some minutes early, so that not all who began together are cut together.
    connection_seconds_max: float | None = 23.75 * 3600
    symbols_per_connection_max: int | None = (STREAMS_A_CONNECTION - 1) // STREAMS_A_SYMBOL
    send_seconds_between = 0.3
    """Five messages a second are allowed, and pongs count."""
    channel = "trade"

    def __init__(self, url: str = STREAM_URL, name: str = NAME) -> None:
        self._url = url.rstrip("/")
        self.name = name
        self._decode = msgspec.json.Decoder(_Combined).decode
        self._decode_raw = msgspec.json.Decoder(TradeMessage | AggregateMessage | KlineMessage).decode
        self._decode_envelope = msgspec.json.Decoder(_Envelope).decode
        self._decode_kind = msgspec.json.Decoder(_Kind).decode
        self._decode_names = msgspec.json.Decoder(list[str] | bool | None).decode
        self._decode_error = msgspec.json.Decoder(_Error).decode

    def session(self) -> LiveTrades:
        """Itself: a frame means the same on every connection."""
        return self

    def url(self) -> str:
        """Where to connect: what is subscribed there comes wrapped in the name of its stream."""
        return f"{self._url}/stream"

    def subscribe(self, symbols: Sequence[str]) -> list[str]:
        """Ask for the clock and for two streams a symbol, and then for the list of what flows."""
        streams = [f"{CLOCK_SYMBOL.lower()}@kline_1s", *self._streams(symbols)]
        return _requests("SUBSCRIBE", streams)

    def unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        """The clock goes on."""
        return _requests("UNSUBSCRIBE", [*self._streams(symbols)])

    def _streams(self, symbols: Iterable[str]) -> Iterator[str]:
        for symbol in symbols:
            yield f"{symbol.lower()}@{self.channel}"
            yield f"{symbol.lower()}@kline_1m"

    def decode(self, frame: str | bytes, received_at: datetime | None) -> Sequence[Event]:
        """The events in one frame. Raises: RemoteMalformed."""
        try:
            message = self._decode(frame).data
            if type(message) is TradeMessage:
                return (read_trade(message),)
            return self._read(message)
        except _UNREADABLE as error:
            return self._decode_other(frame, error)

    def _read(self, message: TradeMessage | AggregateMessage | KlineMessage) -> Sequence[Event]:
        if isinstance(message, AggregateMessage):
            return (read_aggregate(message),)
        if isinstance(message, KlineMessage):
            return _read_kline(message)
        return (read_trade(message),)

    def _decode_other(self, frame: str | bytes, error: Exception) -> Sequence[Event]:
        """A message without an envelope, an answer to a request, or a kind that is not used; else malformed."""
        try:
            return self._read_other(frame, error)
        except _UNREADABLE as unreadable:
            raise RemoteMalformed(self.name, f"not a message: {unreadable}", excerpt(frame)) from unreadable

    def _read_other(self, frame: str | bytes, error: Exception) -> Sequence[Event]:
        envelope = self._decode_envelope(frame)
        if len(envelope.data):
            kind = self._kind(envelope.data, envelope.stream)
        elif envelope.e is not None:
            kind = envelope.e
            if kind in _KINDS:
                return self._read(self._decode_raw(frame))
        elif len(envelope.error) or envelope.code is not None:
            reason = self._decode_error(envelope.error).msg if len(envelope.error) else envelope.msg
            return (Refused(reason or "no reason given"),)
        elif len(envelope.result):
            return self._answer(envelope.result)
        else:
            # A depth snapshot out of REST, recorded among the frames, has no type.
            kind = "untyped"
        if kind == "serverShutdown":
            return (CutAnnounced("the exchange shuts this server down"),)
        if kind in _KINDS:
            raise RemoteMalformed(self.name, f"{kind}: {error}", excerpt(frame)) from error
        return (Ignored(kind[:100]),)

    def _kind(self, data: msgspec.Raw, stream: str | None) -> str:
        """What the payload says that it is, or else the stream's name: `bookTicker` says nothing of itself."""
        try:
            kind = self._decode_kind(data).e
        except msgspec.ValidationError:
            kind = None
        return kind or (stream or "untyped").partition("@")[2] or "untyped"

    def _answer(self, result: msgspec.Raw) -> Sequence[Event]:
        names = self._decode_names(result)
        if not isinstance(names, list):
            return (Ignored(_ACKNOWLEDGED),)
        ending = f"@{self.channel}"
        return (Subscribed(tuple(sorted(one.removesuffix(ending).upper() for one in names if one.endswith(ending)))),)


class BinanceAggregates(BinanceTrades):
    """The `aggTrade` streams: fewer messages, and REST gives the same aggregates without a key."""

    channel = "aggTrade"


class BinanceRecording(BinanceTrades):
    """Recorded frames: a symbol's `trade` channel, or its `aggTrade` channel where `survey` saw no other.

    Without a survey both are read, and what came by the other one before is a repetition.
    """

    def __init__(self, name: str = NAME) -> None:
        super().__init__(name=name)
        self._with_trades: set[str] = set()

    def survey(self, frame: str | bytes) -> None:
        """Look at a frame before any is decoded: of which symbols is there a `trade` channel?"""
        try:
            message = self._decode(frame).data
        except _UNREADABLE:
            return
        if isinstance(message, TradeMessage):
            self._with_trades.add(message.s)

    def _read(self, message: TradeMessage | AggregateMessage | KlineMessage) -> Sequence[Event]:
        if isinstance(message, AggregateMessage) and message.s in self._with_trades:
            return (Ignored("aggTrade beside trade"),)
        return super()._read(message)


def _requests(method: str, streams: Sequence[str]) -> list[str]:
    """The frames that ask for so many streams, and the one that asks what flows now: its answer is exact."""
    parts = [streams[at : at + STREAMS_A_REQUEST] for at in range(0, len(streams), STREAMS_A_REQUEST)]
    documents: list[dict[str, object]] = [{"method": method, "params": part} for part in parts]
    documents.append({"method": "LIST_SUBSCRIPTIONS"})
    return [msgspec.json.encode({**one, "id": number}).decode() for number, one in enumerate(documents, start=1)]


def _read_kline(message: KlineMessage) -> Sequence[Event]:
    """An update of a minute: the newest trade's id, and what the minute's trades fold to. Raises: ValueError."""
    kline, said_ns = message.k, epoch_nanoseconds(message.E)
    if kline.i == "1s":
        return (Heartbeat(None, None, said_ns),)
    if kline.i != M1.name:
        return (Ignored(f"kline_{kline.i}"[:100]),)
    if kline.n == 0:
        return (Heartbeat(message.s, None, said_ns),)
    claim = read_claim(message.s, kline, said_ns)
    # An update says nothing of later minutes; the last word of a quiet one may come when the next begins.
    stands_ns = claim.open_time_ns + M1.duration_ns + (_WORD_STANDS_NS if kline.x else 0)
    return (claim, Heartbeat(message.s, kline.L, min(said_ns, stands_ns)))
