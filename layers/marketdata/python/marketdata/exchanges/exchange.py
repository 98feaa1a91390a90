"""What an exchange adapter is: a few small, pure protocols. An exchange implements those that it can honour.

Nothing here performs input or output: frames and bodies come in, events, requests and frames go out. Arrival time is an
argument, so that recorded and live data take one path. docs/add-an-exchange.md walks through writing one.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

from marketdata.model.candle import Candle
from marketdata.model.events import Event
from marketdata.model.instrument import Instrument
from marketdata.model.quote import PriceSide
from marketdata.model.quote_columns import QuoteColumns
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe
from marketdata.model.trade import Trade


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP GET that someone else performs: `path` is relative to the exchange's REST base URL."""

    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    weight: int = 1
    """What it costs of the exchange's patience, where it weighs requests."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How an exchange that weighs requests tells what an address has used: a header, of so much allowed a minute."""

    header: str
    a_minute: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an answer other than 200 says; with `wait_seconds`, that the exchange wants to be left alone for so long."""

    reason: str
    wait_seconds: float | None = None


ReadRefusal = Callable[[int, bytes], Refusal | None]
"""Reads the status and the body of an answer other than 200; None leaves it to the status alone."""


@dataclass(frozen=True, slots=True)
class TradePage:
    """One page of trades by id: `trades` ordered by id; `next_before` asks for the older page.

    None at the end: there is no trade before the first one here.
    """

    trades: tuple[Trade, ...]
    next_before: int | None


class FrameDecoder(Protocol):
    """Reads the frames of an exchange, live or recorded."""

    name: str
    ids_contiguous: bool
    """Whether trade ids of one symbol count up by one, so that a run of them proves completeness."""

    def decode(self, frame: str | bytes, received_at: datetime | None) -> Sequence[Event]:
        """The events in one frame, in the frame's order. Raises: RemoteMalformed, and nothing else."""
        ...


@runtime_checkable
class SurveyingDecoder(FrameDecoder, Protocol):
    """A decoder of recordings that must have seen all of one before it can choose among its channels."""

    def survey(self, frame: str | bytes) -> None:
        """Look at one frame; raises nothing."""
        ...


class LiveTrades(FrameDecoder, Protocol):
    """A live stream of trades over WebSocket."""

    silence_seconds_max: float
    """Longest silence of a healthy connection; heartbeats included."""
    connection_seconds_max: float | None
    """How long the exchange lets a connection live, where it says so: a new one is made in time."""

    send_seconds_between: float
    """What the exchange wants between two frames of ours; 0 where it does not mind."""
    symbols_per_connection_max: int | None
    """How many symbols one connection may carry; None where that is no limit of ours."""

    def session(self) -> "LiveTrades":
        """What speaks on one new connection; itself where a frame means the same on every connection."""
        ...

    def url(self) -> str:
        """Where to connect."""
        ...

    def subscribe(self, symbols: Sequence[str]) -> list[str]:
        """The frames that ask for trades (and heartbeats) of `symbols`."""
        ...

    def unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        """The frames that end them."""
        ...


class CandleHistory(Protocol):
    """The exchange's own candles over REST."""

    name: str
    candles_a_request: int
    """How many buckets one request may span."""

    def candle_requests(self, symbol: str, timeframe: Timeframe, span: Span) -> list[Request]:
        """The requests that together cover `span`, oldest first. Raises: RequestInvalid for a timeframe not offered."""
        ...

    def parse_candles(self, body: bytes, symbol: str, timeframe: Timeframe, observed_at: datetime) -> list[Candle]:
        """The candles in one answer, oldest first, ranked `venue`. Raises: RemoteMalformed."""
        ...


@runtime_checkable
class SplitsCandles(Protocol):
    """Where an answer with candles is not a plain JSON array of rows."""

    def split_candles(self, body: bytes) -> list[bytes]:
        """As many answers, of one candle each. Raises: RemoteMalformed."""
        ...


class TradesByTime(Protocol):
    """Trades of a span over REST, where ids cannot be asked for."""

    name: str
    trades_a_request: int
    """How many trades one answer may hold; that many mean that there may be more."""

    def trades_from(self, symbol: str, span: Span) -> Request:
        """The oldest trades in `span`, as many as one answer may hold."""
        ...

    def parse_trades(self, body: bytes, symbol: str) -> TradePage:
        """One page, ordered by (time, id). Raises: RemoteMalformed."""
        ...


class TradeHistory(Protocol):
    """Trades by id over REST."""

    name: str

    def trades_request(self, symbol: str, before: int | None, limit: int) -> Request:
        """The newest `limit` trades with an id below `before` (or the newest of all)."""
        ...

    def parse_trades(self, body: bytes, symbol: str) -> TradePage:
        """One page. Raises: RemoteMalformed."""
        ...


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One file of an exchange's archive: what it holds, and the request that fetches it.

    `symbol` is plain, as the exchange spells it. `timeframe` is None for ticks, which carry both prices; candles are of
    `side`. `span` is all the time that the file speaks of. `place` is where a local copy belongs, below some folder.
    """

    symbol: str
    span: Span
    timeframe: Timeframe | None
    side: PriceSide
    request: Request
    place: str


class TickArchive(Protocol):
    """Files of quotes and candles by hour, day, month or year."""

    name: str
    usual_side: PriceSide
    """The price of candles that are asked for by the plain symbol."""

    def instrument(self, symbol: str, side: PriceSide) -> Instrument:
        """What candles of a price are filed under; the symbol in any usual spelling. Raises: NotFound."""
        ...

    def tick_files(self, symbol: str, span: Span) -> list[ArchiveFile]:
        """The files that together hold the ticks of `span`, oldest first. Raises: NotFound for an unknown symbol."""
        ...

    def candle_files(self, symbol: str, timeframe: Timeframe, side: PriceSide, span: Span) -> list[ArchiveFile]:
        """The files with the candles of `span`, oldest first. Raises: NotFound, RequestInvalid for the timeframe."""
        ...

    def parse_ticks(self, body: bytes, file: ArchiveFile) -> QuoteColumns:
        """The quotes in one file, in its order. Raises: RemoteMalformed.

        None at all means that the file says so: ask again before believing it.
        """
        ...

    def parse_candles(self, body: bytes, file: ArchiveFile, observed_at: datetime) -> list[Candle]:
        """The candles in one file, oldest first, ranked `venue`. Raises: RemoteMalformed."""
        ...

    def is_flat(self, candle: Candle) -> bool:
        """Whether the archive made this candle up for a step in which nothing was quoted: it is never stored."""
        ...


TradeSteps = Generator[Request, bytes, TradePage]
"""Requests one after the other, each answered by `send(body)`; what it returns at the end is the page."""


@runtime_checkable
class TradeSearch(Protocol):
    """Trades by id over REST, where finding an id takes more than one request."""

    name: str

    def find_trades(self, symbol: str, before: int | None, limit: int) -> TradeSteps:
        """The steps to the newest `limit` trades that begin below `before`, or of all. Raises: RemoteMalformed."""
        ...


AnyTradeHistory = TradeHistory | TradeSearch


def trade_steps(history: AnyTradeHistory, symbol: str, before: int | None, limit: int) -> TradeSteps:
    """The steps to a page, whichever way an exchange is asked. Raises: RemoteMalformed."""
    if isinstance(history, TradeSearch):
        return (yield from history.find_trades(symbol, before, limit))
    return history.parse_trades((yield history.trades_request(symbol, before, limit)), symbol)


@dataclass(frozen=True, slots=True)
class ArchiveDay:
    """One day's file of an archive, and the request for its checksum."""

    span: Span
    request: Request
    checksum: Request


class TradeArchive(Protocol):
    """Trades of whole days, and the exchange's own candles of them, in files."""

    name: str

    def trade_days(self, symbol: str, span: Span) -> list[ArchiveDay]:
        """The whole days in `span`, oldest first."""
        ...

    def candle_days(self, symbol: str, timeframe: Timeframe, span: Span) -> list[ArchiveDay]:
        """The same with candles. Raises: RequestInvalid for a timeframe not offered."""
        ...

    def verify(self, body: bytes, checksum: bytes) -> None:
        """Raises: RemoteMalformed when the file is not the one that the checksum is of."""
        ...

    def parse_trades(self, body: bytes, symbol: str) -> Iterator[Trade]:
        """The trades of one file, in its order. Raises: RemoteMalformed, at any of them."""
        ...

    def parse_candles(self, body: bytes, symbol: str, timeframe: Timeframe, observed_at: datetime) -> list[Candle]:
        """The candles of one file, oldest first, ranked `venue`. Raises: RemoteMalformed."""
        ...
