"""OANDA v20: the pricing stream and REST candles. Pure: lines and bodies in, values out.

The stream is a sample, at most the last price of each quarter second, and its windows differ from connection to
connection: candles made of it are at most `live`, and OANDA's own candles are the truth. Nobody sees trades: `volume`
of OANDA's candles, and of ours, is the number of prices. The stream is lines over chunked HTTP (net/http_lines), not a
WebSocket; what it was asked for and whether it was granted are lines that the door adds.
Source: docs/add-an-exchange.md#oanda.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation

import msgspec

from marketdata.errors import RemoteMalformed, RequestInvalid
from marketdata.exchanges.exchange import LiveTrades, Refusal, Request
from marketdata.exchanges.iso_times import iso_nanoseconds
from marketdata.exchanges.places import OANDA_STREAM_URL, PLACES
from marketdata.exchanges.venue_candle import venue_candle
from marketdata.model.candle import Candle
from marketdata.model.events import Event, Heartbeat, Ignored, Malformed, Refused, Subscribed
from marketdata.model.quote import PriceSide, Quote, side_of
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe
from marketdata.model.times import rfc3339

NAME = "oanda"
STREAM_URL = OANDA_STREAM_URL
STREAM_PRACTICE_URL = "https://stream-fxpractice.oanda.com"
REST_URL = PLACES["oanda"].rest_url
REST_PRACTICE_URL = "https://api-fxpractice.oanda.com"
USUAL_SIDE = PriceSide.MID
"""OANDA's own default."""
CANDLES_A_REQUEST = 5_000

_TIMES = (("Accept-Datetime-Format", "RFC3339"),)
_LEAST = Decimal("1e-30")
_GREATEST = Decimal("1e30")
_EXCERPT = 300
_GRANULARITIES = {1: "M1", 5: "M5", 15: "M15", 60: "H1", 240: "H4", 720: "H12", 1440: "D", 10_080: "W"}
_LETTERS = {PriceSide.BID: "B", PriceSide.ASK: "A", PriceSide.MID: "M"}
# OANDA's days begin at 17:00 New York, its weeks on Friday, and with them every candle above an hour. Ours are of UTC.
_UTC_ALIGNMENT = (("dailyAlignment", "0"), ("alignmentTimezone", "UTC"), ("weeklyAlignment", "Monday"))


class _Bucket(msgspec.Struct, gc=False):
    price: Decimal


class _Price(msgspec.Struct, tag_field="type", tag="PRICE"):
    instrument: str
    time: str
    bids: list[_Bucket] = []
    asks: list[_Bucket] = []
    tradeable: bool | None = None
    status: str = "tradeable"


class _Heartbeat(msgspec.Struct, tag_field="type", tag="HEARTBEAT"):
    time: str


class _Granted(msgspec.Struct, tag_field="type", tag="SUBSCRIBED"):
    symbols: list[str]


class _Denied(msgspec.Struct, tag_field="type", tag="REFUSED"):
    reason: str


class _Typed(msgspec.Struct):
    type: str


_Line = _Price | _Heartbeat | _Granted | _Denied
_KINDS = frozenset({"PRICE", "HEARTBEAT", "SUBSCRIBED", "REFUSED"})


class OandaPricing:
    """The pricing stream of one account. Its token is the door's business, and never in an address."""

    ids_contiguous = False
    # A heartbeat comes every 5 s; OANDA advises to reconnect after 10 s of silence.
    silence_seconds_max = 10.0
    connection_seconds_max: float | None = None
    symbols_per_connection_max: int | None = None
    # Each change of the symbols is a new connection, and two a second are allowed.
    send_seconds_between = 0.5

    def __init__(self, url: str = STREAM_URL, name: str = NAME, account: str = "") -> None:
        self._url = url
        self.name = name
        self._account = account
        self._decode = msgspec.json.Decoder(_Line).decode
        self._decode_type = msgspec.json.Decoder(_Typed).decode

    def session(self) -> LiveTrades:
        """Itself: a line means the same on every connection."""
        return self

    def url(self) -> str:
        """Where to connect."""
        return self._url

    def subscribe(self, symbols: Sequence[str]) -> list[str]:
        """What the door adds to what it asks for."""
        return [msgspec.json.encode({"subscribe": list(symbols)}).decode()]

    def unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        """What the door asks for no more."""
        return [msgspec.json.encode({"unsubscribe": list(symbols)}).decode()]

    def stream_request(self, symbols: Sequence[str]) -> Request:
        """The request whose answer never ends. `snapshot`: the newest price of each instrument comes first."""
        query = (("instruments", ",".join(symbols)), ("snapshot", "true"))
        return Request(f"/v3/accounts/{self._account}/pricing/stream", query, _TIMES)

    def decode(self, frame: str | bytes, received_at: datetime | None) -> Sequence[Event]:
        """The event in one line. Raises: RemoteMalformed."""
        try:
            line = self._decode(frame)
            if isinstance(line, _Price):
                return (_quote(line),)
            if isinstance(line, _Heartbeat):
                return (Heartbeat(None, None, iso_nanoseconds(line.time)),)
            return (Refused(line.reason) if isinstance(line, _Denied) else Subscribed(tuple(sorted(line.symbols))),)
        except (msgspec.DecodeError, ValueError, RecursionError, InvalidOperation) as error:
            return (self._decode_other(frame, error),)

    def _decode_other(self, frame: str | bytes, error: Exception) -> Event:
        try:
            kind = self._decode_type(frame).type
        except (msgspec.DecodeError, ValueError, RecursionError) as untyped:
            raise RemoteMalformed(self.name, f"not a typed JSON object: {untyped}", _excerpt(frame)) from untyped
        if kind in _KINDS:
            raise RemoteMalformed(self.name, f"{kind}: {error}", _excerpt(frame)) from error
        return Ignored(kind[:100])


class OandaRecording(OandaPricing):
    """Recorded lines of the stream, one or more a frame: HTTP's chunks are not OANDA's lines."""

    def __init__(self, name: str = NAME) -> None:
        super().__init__(name=name)

    def decode(self, frame: str | bytes, received_at: datetime | None) -> Sequence[Event]:
        """The events in the lines of one frame. Raises: RemoteMalformed."""
        lines = [line for line in frame.splitlines() if line.strip()]
        if len(lines) < 2:
            return super().decode(frame, received_at)
        return [event for line in lines for event in self._decode_line(line, received_at)]

    def _decode_line(self, line: str | bytes, received_at: datetime | None) -> Sequence[Event]:
        try:
            return super().decode(line, received_at)
        except RemoteMalformed as malformed:
            # It costs itself, and not the lines beside it.
            return (Malformed(malformed.reason, malformed.excerpt),)


class _Ohlc(msgspec.Struct):
    o: Decimal
    h: Decimal
    l: Decimal  # noqa: E741 - OANDA's own letter
    c: Decimal


class _Row(msgspec.Struct):
    complete: bool
    volume: int
    time: str
    bid: _Ohlc | None = None
    ask: _Ohlc | None = None
    mid: _Ohlc | None = None


class _Answer(msgspec.Struct):
    candles: list[_Row]


class _RawAnswer(msgspec.Struct):
    candles: list[msgspec.Raw]


class _Error(msgspec.Struct):
    errorMessage: str  # noqa: N815 - OANDA's own name


class OandaRest:
    """REST candles of bid, ask or middle: which one, the symbol says (`EUR_USD:bid`; plain: the middle)."""

    candles_a_request = CANDLES_A_REQUEST

    def __init__(self, name: str = NAME) -> None:
        self.name = name
        self._decode = msgspec.json.Decoder(_Answer).decode
        self._decode_rows = msgspec.json.Decoder(_RawAnswer).decode

    def candle_requests(self, symbol: str, timeframe: Timeframe, span: Span) -> list[Request]:
        """Requests of at most 5,000 candles, oldest first; buckets of UTC, not of New York's sessions."""
        plain, side = side_of(symbol, USUAL_SIDE)
        granularity = _GRANULARITIES.get(timeframe.minutes)
        if granularity is None:
            raise RequestInvalid("timeframe", f"oanda has no {timeframe} candles")
        fixed = (("price", _LETTERS[side]), ("granularity", granularity), *_UTC_ALIGNMENT)
        step, start, requests = timeframe.duration * CANDLES_A_REQUEST, timeframe.floor(span.start), []
        while start < span.end:
            end = min(start + step, span.end)
            query = (*fixed, ("from", rfc3339(start)), ("to", rfc3339(end)))
            requests.append(Request(f"/v3/instruments/{plain}/candles", query, _TIMES))
            start = end
        return requests

    def parse_candles(self, body: bytes, symbol: str, timeframe: Timeframe, observed_at: datetime) -> list[Candle]:
        """The candles in one answer, oldest first: `venue`, and `partial` those that OANDA calls incomplete.

        `trades` and `volume` are the number of prices. Raises: RemoteMalformed, also for buckets that are not of UTC.
        """
        try:
            candles = list(self._candles(self._decode(body), symbol, timeframe, observed_at))
        except (msgspec.DecodeError, ValueError, RecursionError, InvalidOperation) as error:
            raise RemoteMalformed(self.name, f"candles: {error}", _excerpt(body)) from error
        return sorted(candles, key=lambda candle: candle.open_time)

    def split_candles(self, body: bytes) -> list[bytes]:
        """As many answers, of one candle each. Raises: RemoteMalformed."""
        try:
            rows = self._decode_rows(body).candles
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise RemoteMalformed(self.name, f"candles: {error}", _excerpt(body)) from error
        return [b'{"candles":[' + bytes(row) + b"]}" for row in rows]

    def _candles(self, answer: _Answer, symbol: str, timeframe: Timeframe, observed_at: datetime) -> Iterator[Candle]:
        _, side = side_of(symbol, USUAL_SIDE)
        for row in answer.candles:
            prices = {PriceSide.BID: row.bid, PriceSide.ASK: row.ask, PriceSide.MID: row.mid}[side]
            if prices is None:
                raise ValueError(f"no {side} prices at {row.time}")
            yield venue_candle(
                self.name,
                symbol,
                timeframe,
                open_ns=iso_nanoseconds(row.time),
                prices=(prices.o, prices.h, prices.l, prices.c),
                volume=Decimal(row.volume),
                observed_at=observed_at,
                trades=row.volume,
                complete=row.complete,
            )


def read_refusal(status: int, body: bytes) -> Refusal | None:
    """What OANDA refuses: `{"errorMessage": "..."}` of a token or an account (401, 403) or of what was asked."""
    try:
        reason = msgspec.json.decode(body, type=_Error).errorMessage[:_EXCERPT]
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    if status in (401, 403):
        return Refusal(f"{reason} (OANDA_TOKEN, OANDA_ACCOUNT)")
    return Refusal(reason) if status == 400 else None


def _quote(price: _Price) -> Event:
    """The best bid and ask. Liquidity is what could be dealt in there, not the size of anything that happened."""
    if price.tradeable is False or price.status != "tradeable":
        return Ignored("PRICE, not tradeable")
    if not price.bids or not price.asks:
        return Ignored("PRICE, one-sided")
    bid = max(bucket.price for bucket in price.bids)
    ask = min(bucket.price for bucket in price.asks)
    if not (_LEAST < bid < _GREATEST and _LEAST < ask < _GREATEST):
        raise ValueError(f"prices of {bid} and {ask}")
    return Quote(price.instrument, iso_nanoseconds(price.time), bid, ask)


def _excerpt(text: str | bytes) -> str:
    return (text if isinstance(text, str) else text[:_EXCERPT].decode("utf-8", "backslashreplace"))[:_EXCERPT]
