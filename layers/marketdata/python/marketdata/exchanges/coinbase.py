"""Coinbase's Exchange feed. Pure: frames in, events out; sides as coinbase_wire tells.

Source: docs/add-an-exchange.md#coinbase.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

import msgspec

from marketdata.errors import RemoteMalformed
from marketdata.exchanges.coinbase_wire import NAME
from marketdata.exchanges.iso_times import iso_nanoseconds
from marketdata.exchanges.wire import GREATEST, IDS_MAX, LEAST, excerpt
from marketdata.model.events import Event, Heartbeat, Ignored, Refused, Subscribed
from marketdata.model.trade import Side, Trade

EXCHANGE_URL = "wss://ws-feed.exchange.coinbase.com"

_LEAST, _GREATEST = LEAST, GREATEST
_Id = Annotated[int, msgspec.Meta(gt=0, le=IDS_MAX)]
_BUY, _SELL = Side.BUY, Side.SELL


class _Match(msgspec.Struct, tag_field="type", tag="match", gc=False):
    trade_id: _Id
    side: Literal["buy", "sell"]
    size: Decimal
    price: Decimal
    product_id: str
    time: str


class _LastMatch(_Match, tag_field="type", tag="last_match", gc=False):
    pass


class _Heartbeat(msgspec.Struct, tag_field="type", tag="heartbeat", gc=False):
    product_id: str
    time: str
    last_trade_id: int = 0


class _Channel(msgspec.Struct):
    name: str
    product_ids: list[str] = []


class _Subscriptions(msgspec.Struct, tag_field="type", tag="subscriptions"):
    channels: list[_Channel]


class _Error(msgspec.Struct, tag_field="type", tag="error"):
    message: str = ""
    reason: str = ""


_ExchangeFrame = _Match | _LastMatch | _Heartbeat | _Subscriptions | _Error


class _Typed(msgspec.Struct):
    type: str


_EXCHANGE_KINDS = frozenset({"match", "last_match", "heartbeat", "subscriptions", "error"})


class CoinbaseExchange:
    """The Exchange feed: `matches` and `heartbeat`."""

    ids_contiguous = True
    # A heartbeat comes every second per product; two may be lost before we doubt the connection. With the time until
    # the watchdog looks this is less than 4 s.
    silence_seconds_max = 3.5
    connection_seconds_max: float | None = None
    symbols_per_connection_max: int | None = None
    send_seconds_between = 0.0

    def __init__(self, url: str = EXCHANGE_URL, name: str = NAME) -> None:
        self._url = url
        self.name = name
        self._decode = msgspec.json.Decoder(_ExchangeFrame).decode
        self._decode_type = msgspec.json.Decoder(_Typed).decode
        # An order that meets several others makes several trades of one time: a quarter to half of all. One tuple, so
        # that a reader never sees half of a new pair.
        self._latest_time = ("", 0)

    def session(self) -> "CoinbaseExchange":
        """Itself: a frame names its product."""
        return self

    def url(self) -> str:
        """Where to connect; no key is needed."""
        return self._url

    def subscribe(self, symbols: Sequence[str]) -> list[str]:
        """One frame for both channels; Coinbase cuts a connection that has not subscribed within 5 s."""
        return [self._request("subscribe", symbols)]

    def unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        """One frame for both channels."""
        return [self._request("unsubscribe", symbols)]

    def _request(self, kind: str, symbols: Sequence[str]) -> str:
        document = {"type": kind, "product_ids": list(symbols), "channels": ["matches", "heartbeat"]}
        return msgspec.json.encode(document).decode()

    def decode(self, frame: str | bytes, received_at: datetime | None) -> Sequence[Event]:
        """The events in one frame. Raises: RemoteMalformed.

        One frame in a hundred is not a match, so a match is read here, without another call: see docs/performance.md.
        """
        try:
            message = self._decode(frame)
            if type(message) is _Match or type(message) is _LastMatch:
                price, size, time = message.price, message.size, message.time
                if not (_LEAST < price < _GREATEST and _LEAST < size < _GREATEST):
                    return self._decode_other(frame, ValueError("price or size out of bounds"))
                text, time_ns = self._latest_time
                if time != text:
                    time_ns = iso_nanoseconds(time)
                    self._latest_time = (time, time_ns)
                side = _BUY if message.side == "sell" else _SELL
                return (Trade(message.product_id, message.trade_id, time_ns, price, size, side),)
            return self._read_other(message)
        except (msgspec.DecodeError, ValueError, RecursionError, InvalidOperation) as error:
            return self._decode_other(frame, error)

    def _read_other(self, message: _ExchangeFrame) -> Sequence[Event]:
        if isinstance(message, _Heartbeat):
            # 0 was sent for months in 2019 and 2020 and means "unknown", never a regression.
            return (Heartbeat(message.product_id, message.last_trade_id or None, iso_nanoseconds(message.time)),)
        if isinstance(message, _Subscriptions):
            channels = (channel for channel in message.channels if channel.name == "matches")
            return (Subscribed(tuple(sorted({symbol for channel in channels for symbol in channel.product_ids}))),)
        assert isinstance(message, _Error), message
        return (Refused(": ".join(part for part in (message.message, message.reason) if part) or "no reason given"),)

    def _decode_other(self, frame: str | bytes, error: Exception) -> list[Event]:
        """A frame of a type that we do not read is no error; a bad frame of one that we do read is."""
        try:
            kind = self._decode_type(frame).type
        except (msgspec.DecodeError, ValueError, RecursionError) as untyped:
            raise RemoteMalformed(self.name, f"not a typed JSON object: {untyped}", excerpt(frame)) from untyped
        if kind in _EXCHANGE_KINDS:
            raise RemoteMalformed(self.name, f"{kind}: {error}", excerpt(frame)) from error
        return [Ignored(kind[:100])]
