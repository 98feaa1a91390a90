"""Coinbase: the Exchange feed, the Advanced Trade feed, and Exchange REST. Pure: frames and bodies in, values out.

Both feeds carry the MAKER's side; a Trade carries the taker's. For Advanced Trade the documentation is silent and
public code disagrees; a recording of 2026-08-09 settled it: 129 of 148 price moves, and 75 of 76 trades against the
best quotes, fit the maker's side only. See docs/data-semantics.md, "Side".
Source: docs/add-an-exchange.md#coinbase.
"""

import contextlib
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

import msgspec

from marketdata.errors import RemoteMalformed, RequestInvalid
from marketdata.exchanges.exchange import Request, TradePage
from marketdata.exchanges.iso_times import iso_nanoseconds
from marketdata.exchanges.wire import GREATEST, IDS_MAX, LEAST, check_candle, check_trade, excerpt, steps
from marketdata.model.candle import Candle, Source
from marketdata.model.events import Event, Heartbeat, Ignored, Malformed, Refused, Subscribed
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe
from marketdata.model.times import NANOSECONDS_A_SECOND, rfc3339, utc
from marketdata.model.trade import Side, Trade

NAME = "coinbase"
EXCHANGE_URL = "wss://ws-feed.exchange.coinbase.com"
ADVANCED_URL = "wss://advanced-trade-ws.coinbase.com"
REST_URL = "https://api.exchange.coinbase.com"
CANDLES_A_REQUEST = 300
TRADES_A_REQUEST = 1000

_LEAST, _GREATEST = LEAST, GREATEST

_Id = Annotated[int, msgspec.Meta(gt=0, le=IDS_MAX)]

_BUY, _SELL = Side.BUY, Side.SELL
_TAKER = {"buy": Side.SELL, "sell": Side.BUY, "BUY": Side.SELL, "SELL": Side.BUY}
_GRANULARITIES = {1: 60, 5: 300, 15: 900, 60: 3600, 1440: 86_400}


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
                return [trade for part in message.events for trade in _by_id([*map(_advanced_trade, part.trades)])]
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
        trades = _by_id([event for event in events if isinstance(event, Trade)])
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


class CoinbaseRecording:
    """Recorded frames of either feed, told apart by themselves."""

    ids_contiguous = True

    def __init__(self, name: str = NAME) -> None:
        self.name = name
        self._exchange = CoinbaseExchange(name=name)
        self._advanced = CoinbaseAdvanced(name=name)

    def decode(self, frame: str | bytes, received_at: datetime | None) -> Sequence[Event]:
        """The events in one frame. Raises: RemoteMalformed."""
        try:
            return self._exchange.decode(frame, received_at)
        except RemoteMalformed as malformed:
            if not self._advanced.speaks(frame):
                raise malformed from None
        return self._advanced.decode(frame, received_at)


class _RestTrade(msgspec.Struct):
    trade_id: int
    side: Literal["buy", "sell"]
    size: Decimal
    price: Decimal
    time: str


class CoinbaseRest:
    """Exchange REST: candles (300 a request) and trades (1,000 a request, by id)."""

    candles_a_request = CANDLES_A_REQUEST

    def __init__(self, name: str = NAME) -> None:
        self.name = name
        self._decode_rows = msgspec.json.Decoder(list[tuple[int, Decimal, Decimal, Decimal, Decimal, Decimal]]).decode
        self._decode_trades = msgspec.json.Decoder(list[_RestTrade]).decode

    def candle_requests(self, symbol: str, timeframe: Timeframe, span: Span) -> list[Request]:
        """Requests that together cover `span`, oldest first; each names both ends, or Coinbase ignores both.

        Raises: RequestInvalid for a timeframe that Coinbase does not offer (4h, 12h and 1w are rolled up).
        """
        granularity = self._granularity(timeframe)
        return [
            Request(
                f"/products/{symbol}/candles",
                (
                    ("granularity", str(granularity)),
                    ("start", rfc3339(start)),
                    # The end is included by Coinbase; the last bucket we want opens one step before ours.
                    (
                        "end",
                        rfc3339(min(start + timeframe.duration * CANDLES_A_REQUEST, span.end) - timeframe.duration),
                    ),
                ),
            )
            for start in steps(timeframe.floor(span.start), span.end, timeframe.duration * CANDLES_A_REQUEST)
        ]

    def parse_candles(self, body: bytes, symbol: str, timeframe: Timeframe, observed_at: datetime) -> list[Candle]:
        """Rows `[time_s, low, high, open, close, volume]`, newest first on the wire; oldest first here.

        Coinbase gives no quote volume, no trade count and no ids: they are None. It may also answer with candles before
        the span that was asked for; callers drop those.
        """
        try:
            rows = self._decode_rows(body)
            candles = [self._candle(row, symbol, timeframe, observed_at) for row in rows]
        except (msgspec.DecodeError, ValueError, InvalidOperation, OverflowError, RecursionError) as error:
            raise RemoteMalformed(self.name, f"candles: {error}", excerpt(body)) from error
        return sorted(candles, key=lambda candle: candle.open_time)

    def _candle(
        self,
        row: tuple[int, Decimal, Decimal, Decimal, Decimal, Decimal],
        symbol: str,
        timeframe: Timeframe,
        observed_at: datetime,
    ) -> Candle:
        time_s, low, high, open_, close, volume = row
        check_candle(open_, high, low, close, volume)
        open_time = utc(time_s * NANOSECONDS_A_SECOND)
        if timeframe.floor(open_time) != open_time:
            raise ValueError(f"misaligned row {row}")
        return Candle(
            exchange=self.name,
            symbol=symbol,
            timeframe=timeframe,
            open_time=open_time,
            open=open_,
            high=high,
            low=low,
            close=close,
            volume=volume,
            quote_volume=None,
            trades=None,
            taker_buy_volume=None,
            first_id=None,
            last_id=None,
            source=Source.VENUE,
            observed_at=observed_at,
        )

    def _granularity(self, timeframe: Timeframe) -> int:
        if timeframe.minutes not in _GRANULARITIES:
            raise RequestInvalid("timeframe", f"Coinbase has no {timeframe} candles")
        return _GRANULARITIES[timeframe.minutes]

    def trades_request(self, symbol: str, before: int | None, limit: int) -> Request:
        """The newest `limit` (at most 1,000) trades below id `before`; Coinbase's cursor `after` means older."""
        query = [("limit", str(min(limit, TRADES_A_REQUEST)))]
        if before is not None:
            query.append(("after", str(before)))
        return Request(f"/products/{symbol}/trades", tuple(query))

    def parse_trades(self, body: bytes, symbol: str) -> TradePage:
        """One page, ordered by id; the side on the wire is the maker's."""
        try:
            trades = sorted((self._trade(message, symbol) for message in self._decode_trades(body)), key=_id)
        except (msgspec.DecodeError, ValueError, InvalidOperation, RecursionError) as error:
            raise RemoteMalformed(self.name, f"trades: {error}", excerpt(body)) from error
        return TradePage(tuple(trades), trades[0].id if trades and trades[0].id > 1 else None)

    def _trade(self, message: _RestTrade, symbol: str) -> Trade:
        check_trade(message.price, message.size, message.trade_id)
        time_ns, side = iso_nanoseconds(message.time), _TAKER[message.side]
        return Trade(symbol, message.trade_id, time_ns, message.price, message.size, side)


def _advanced_trade(message: _AdvancedTrade) -> Trade:
    """Raises: ValueError or InvalidOperation."""
    price, size, trade_id = message.price, message.size, int(message.trade_id)
    check_trade(price, size, trade_id)
    time_ns = iso_nanoseconds(message.time)
    return Trade(message.product_id, trade_id, time_ns, price, size, _TAKER[message.side])


def _by_id(trades: list[Trade]) -> list[Trade]:
    """A batch may come newest first; the older trades must not look like late ones."""
    return sorted(trades, key=_id) if len(trades) > 1 else trades


def _id(trade: Trade) -> int:
    return trade.id
