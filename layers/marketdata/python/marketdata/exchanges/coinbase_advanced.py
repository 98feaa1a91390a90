"""Coinbase's Advanced Trade feed. Pure: frames in, events out; sides as coinbase_wire tells.

Source: docs/add-an-exchange.md#coinbase.
"""

import contextlib
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Literal

import msgspec

from marketdata.errors import RemoteMalformed
from marketdata.exchanges.coinbase_wire import NAME, TAKER, by_id
from marketdata.exchanges.iso_times import iso_nanoseconds
from marketdata.exchanges.wire import check_trade, excerpt
from marketdata.model.events import Event, Heartbeat, Ignored, Malformed, Refused, Subscribed
from marketdata.model.trade import Trade

ADVANCED_URL = "wss://advanced-trade-ws.coinbase.com"


class _AdvancedTrade(msgspec.Struct, gc=False):
    trade_id: str
    product_id: str
    price: Decimal
    size: Decimal
    side: Literal["BUY", "SELL"]
    time: str


class _AdvancedTradesEvent(msgspec.Struct):
    trades: list[_AdvancedTrade] = []


class _AdvancedTrades(msgspec.Struct, tag_field="channel", tag="market_trades"):
    events: list[_AdvancedTradesEvent]


class _AdvancedHeartbeats(msgspec.Struct, tag_field="channel", tag="heartbeats"):
    timestamp: str


class _AdvancedSubscriptionsEvent(msgspec.Struct):
    subscriptions: dict[str, list[str]] = {}


class _AdvancedSubscriptions(msgspec.Struct, tag_field="channel", tag="subscriptions"):
    events: list[_AdvancedSubscriptionsEvent]


_AdvancedFrame = _AdvancedTrades | _AdvancedHeartbeats | _AdvancedSubscriptions


class _AdvancedItemsEvent(msgspec.Struct):
    trades: list[msgspec.Raw] = []


class _AdvancedItems(msgspec.Struct):
    events: list[_AdvancedItemsEvent]


class _Channelled(msgspec.Struct):
    channel: str | None = None
    type: str | None = None
    message: str = ""


_ADVANCED_KINDS = frozenset({"market_trades", "heartbeats", "subscriptions"})


class CoinbaseAdvanced:
    """The Advanced Trade feed: `market_trades` (batches each 250 ms, a snapshot first) and `heartbeats`."""

    ids_contiguous = True
    silence_seconds_max = 3.5
    connection_seconds_max: float | None = None
    symbols_per_connection_max: int | None = None
    send_seconds_between = 0.0

    def __init__(self, url: str = ADVANCED_URL, name: str = NAME) -> None:
        self._url = url
        self.name = name
        self._decode = msgspec.json.Decoder(_AdvancedFrame).decode
        self._decode_items = msgspec.json.Decoder(_AdvancedItems).decode
        self._decode_trade = msgspec.json.Decoder(_AdvancedTrade).decode
        self._decode_channel = msgspec.json.Decoder(_Channelled).decode

    def session(self) -> "CoinbaseAdvanced":
        """Itself: a trade names its product."""
        return self

    def url(self) -> str:
        """Where to connect; market data needs no key."""
        return self._url

    def subscribe(self, symbols: Sequence[str]) -> list[str]:
        """One frame per channel; without `heartbeats` a quiet channel is closed after 60 to 90 s."""
        return [self._request("subscribe", "market_trades", symbols), self._request("subscribe", "heartbeats", symbols)]

    def unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        """Only the trades: `heartbeats` is one channel for the whole connection."""
        return [self._request("unsubscribe", "market_trades", symbols)]

    def _request(self, kind: str, channel: str, symbols: Sequence[str]) -> str:
        return msgspec.json.encode({"type": kind, "product_ids": list(symbols), "channel": channel}).decode()

    def decode(self, frame: str | bytes, received_at: datetime | None) -> Sequence[Event]:
        """The events in one frame; trades of a batch in time order. Raises: RemoteMalformed."""
        try:
            message = self._decode(frame)
            if isinstance(message, _AdvancedTrades):
                return [trade for part in message.events for trade in by_id([*map(_advanced_trade, part.trades)])]
            if isinstance(message, _AdvancedHeartbeats):
                return (Heartbeat(None, None, iso_nanoseconds(message.timestamp)),)
        except (msgspec.DecodeError, ValueError, RecursionError, InvalidOperation) as error:
            return self._decode_other(frame, error)
        symbols = {symbol for part in message.events for symbol in part.subscriptions.get("market_trades", [])}
        return (Subscribed(tuple(sorted(symbols))),)

    def speaks(self, frame: str | bytes) -> bool:
        """Whether a frame is in this feed's form at all."""
        try:
            return self._decode_channel(frame).channel is not None
        except (msgspec.DecodeError, ValueError, RecursionError):
            return False

    def _decode_one_by_one(self, frame: str | bytes) -> list[Event]:
        """The events of a batch in which something is wrong."""
        return [event for part in self._decode_items(frame).events for event in self._trades(part.trades)]

    def _trades(self, items: Sequence[msgspec.Raw]) -> list[Event]:
        events: list[Event] = [self._read_trade(item) for item in items]
        trades = by_id([event for event in events if isinstance(event, Trade)])
        return [*trades, *(event for event in events if not isinstance(event, Trade))]

    def _read_trade(self, item: msgspec.Raw) -> Trade | Malformed:
        """One trade; a bad one costs itself, not the batch."""
        try:
            return _advanced_trade(self._decode_trade(item))
        except (msgspec.DecodeError, ValueError, InvalidOperation, RecursionError) as error:
            return Malformed(f"market_trades: {error}", excerpt(bytes(item)))

    def _decode_other(self, frame: str | bytes, error: Exception) -> list[Event]:
        try:
            message = self._decode_channel(frame)
        except (msgspec.DecodeError, ValueError, RecursionError) as unreadable:
            raise RemoteMalformed(self.name, f"not a JSON object: {unreadable}", excerpt(frame)) from unreadable
        if message.type == "error":
            return [Refused(message.message or "no reason given")]
        if message.channel == "market_trades":
            with contextlib.suppress(msgspec.DecodeError, ValueError, RecursionError):
                return self._decode_one_by_one(frame)
        kind = message.channel or message.type
        if kind is None or kind in _ADVANCED_KINDS:
            raise RemoteMalformed(self.name, f"{kind}: {error}", excerpt(frame)) from error
        return [Ignored(kind[:100])]


def _advanced_trade(message: _AdvancedTrade) -> Trade:
    """Raises: ValueError or InvalidOperation."""
    price, size, trade_id = message.price, message.size, int(message.trade_id)
    check_trade(price, size, trade_id)
    time_ns = iso_nanoseconds(message.time)
    return Trade(message.product_id, trade_id, time_ns, price, size, TAKER[message.side])
