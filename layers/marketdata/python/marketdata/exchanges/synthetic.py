"""The synthetic exchange: an invented market of trades or of quotes, over a wire of our own. Pure.

For demos and for load: its server (local/exchanges/synthetic.py) has the symbols, the rate and the seed that are set,
and what it tells is a function of these and of time alone. Its frames carry many trades, so that a load is not spent on
the wire. Nothing of it is ever taken for real: its instruments are `simulated`.
Source: docs/add-an-exchange.md#synthetic.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation

import msgspec

from marketdata.errors import RemoteMalformed
from marketdata.exchanges.exchange import LiveTrades
from marketdata.exchanges.places import PLACES
from marketdata.exchanges.wire import GREATEST, LEAST, check_trade, excerpt
from marketdata.model.events import Event, Heartbeat, Ignored, Malformed, Refused, Subscribed
from marketdata.model.quote import PriceSide, Quote
from marketdata.model.trade import Side, Trade

TRADES_NAME = "synthetic"
QUOTES_NAME = "synthetic_quotes"
REST_URL = PLACES["synthetic"].rest_url
TRADES_URL = "ws://127.0.0.1:8100/synthetic/trades"
QUOTES_URL = "ws://127.0.0.1:8100/synthetic/quotes"
USUAL_SIDE = PriceSide.MID

_TIMES_MAX = 2**63


class _Trades(msgspec.Struct, tag_field="type", tag="trades"):
    """Rows `[symbol, id, nanoseconds, price, size, taker's side]`, by id."""

    trades: list[msgspec.Raw]


class _Quotes(msgspec.Struct, tag_field="type", tag="quotes"):
    """Rows `[symbol, nanoseconds, bid, ask]`, by time."""

    quotes: list[msgspec.Raw]


class _Heartbeat(msgspec.Struct, tag_field="type", tag="heartbeat"):
    """Each second; `last_ids` are those of the newest trades by symbol, of a stream of trades."""

    time: int
    last_ids: dict[str, int] = {}


class _Subscribed(msgspec.Struct, tag_field="type", tag="subscribed"):
    """All that flows now."""

    symbols: list[str]


class _Refused(msgspec.Struct, tag_field="type", tag="refused"):
    reason: str


class _Typed(msgspec.Struct):
    type: str


_Frame = _Trades | _Quotes | _Heartbeat | _Subscribed | _Refused
_KINDS = frozenset({"trades", "quotes", "heartbeat", "subscribed", "refused"})
_ERRORS = (msgspec.DecodeError, ValueError, RecursionError, InvalidOperation)


class SyntheticTrades:
    """The stream of trades; ids count up by one per symbol."""

    ids_contiguous = True
    # A heartbeat comes each second.
    silence_seconds_max = 5.0
    connection_seconds_max: float | None = None
    send_seconds_between = 0.0
    symbols_per_connection_max: int | None = None

    def __init__(self, url: str = TRADES_URL, name: str = TRADES_NAME) -> None:
        self._url = url
        self.name = name
        self._decode = msgspec.json.Decoder(_Frame).decode
        self._decode_type = msgspec.json.Decoder(_Typed).decode
        self._decode_trade = msgspec.json.Decoder(tuple[str, int, int, Decimal, Decimal, Side]).decode
        self._decode_quote = msgspec.json.Decoder(tuple[str, int, Decimal, Decimal]).decode

    def session(self) -> LiveTrades:
        """Itself: a frame means the same on every connection."""
        return self

    def url(self) -> str:
        """Where to connect."""
        return self._url

    def subscribe(self, symbols: Sequence[str]) -> list[str]:
        """One frame for all."""
        return [msgspec.json.encode({"op": "subscribe", "symbols": list(symbols)}).decode()]

    def unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        """One frame for all."""
        return [msgspec.json.encode({"op": "unsubscribe", "symbols": list(symbols)}).decode()]

    def decode(self, frame: str | bytes, received_at: datetime | None) -> Sequence[Event]:
        """The events in one frame; a bad row costs itself. Raises: RemoteMalformed."""
        try:
            said = self._decode(frame)
        except _ERRORS as error:
            return (self._decode_other(frame, error),)
        if isinstance(said, _Trades):
            return [self._trade(row) for row in said.trades]
        if isinstance(said, _Quotes):
            return [self._quote(row) for row in said.quotes]
        if isinstance(said, _Heartbeat):
            return self._beats(said, frame)
        return (Refused(said.reason) if isinstance(said, _Refused) else Subscribed(tuple(sorted(said.symbols))),)

    def _trade(self, row: msgspec.Raw) -> Event:
        try:
            symbol, id_, time_ns, price, size, side = self._decode_trade(row)
            check_trade(price, size, id_)
            _check_time(time_ns)
            if side is Side.UNKNOWN:
                raise ValueError("a trade without a taker")
        except _ERRORS as error:
            return Malformed(f"trade: {error}", excerpt(bytes(row)))
        return Trade(symbol, id_, time_ns, price, size, side)

    def _quote(self, row: msgspec.Raw) -> Event:
        try:
            symbol, time_ns, bid, ask = self._decode_quote(row)
            _check_time(time_ns)
            if not (LEAST < bid < GREATEST and LEAST < ask < GREATEST):
                raise ValueError(f"prices of {bid} and {ask}")
        except _ERRORS as error:
            return Malformed(f"quote: {error}", excerpt(bytes(row)))
        return Quote(symbol, time_ns, bid, ask)

    def _beats(self, beat: _Heartbeat, frame: str | bytes) -> Sequence[Event]:
        if not 0 < beat.time < _TIMES_MAX:
            raise RemoteMalformed(self.name, f"a heartbeat at {beat.time}", excerpt(frame))
        told = [Heartbeat(symbol, id_ if id_ > 0 else None, beat.time) for symbol, id_ in beat.last_ids.items()]
        return told or (Heartbeat(None, None, beat.time),)

    def _decode_other(self, frame: str | bytes, error: Exception) -> Event:
        try:
            kind = self._decode_type(frame).type
        except _ERRORS as untyped:
            raise RemoteMalformed(self.name, f"not a typed JSON object: {untyped}", excerpt(frame)) from untyped
        if kind in _KINDS:
            raise RemoteMalformed(self.name, f"{kind}: {error}", excerpt(frame)) from error
        return Ignored(kind[:100])


class SyntheticQuotes(SyntheticTrades):
    """The stream of quotes: the best bid and ask, each time that somebody trades. Nobody sees the trades."""

    ids_contiguous = False

    def __init__(self, url: str = QUOTES_URL, name: str = QUOTES_NAME) -> None:
        super().__init__(url, name)


def _check_time(time_ns: int) -> None:
    if not 0 < time_ns < _TIMES_MAX:
        raise ValueError(f"a time of {time_ns}")
