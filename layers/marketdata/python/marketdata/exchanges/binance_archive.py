"""Binance's archive of whole days: zipped CSV of aggregates, trades or candles, each with a checksum beside it. Pure.

A day's file is there from the next day on, and may be revised later: the checksum says which version it is. Times are
milliseconds before 2025 and microseconds from 2025-01-01 on. Source: docs/add-an-exchange.md#binance.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from hashlib import sha256

import msgspec

from marketdata.errors import RemoteMalformed, RequestInvalid
from marketdata.exchanges.binance_rest import read_kline
from marketdata.exchanges.binance_wire import (
    AGGREGATE_TRADES_MAX,
    MICROSECONDS_BELOW,
    MILLISECONDS_BELOW,
    NAME,
    AggregateMessage,
    TradeMessage,
    read_aggregate,
    read_trade,
)
from marketdata.exchanges.exchange import ArchiveDay, Request
from marketdata.exchanges.places import BINANCE_ARCHIVE_URL
from marketdata.exchanges.wire import GREATEST, IDS_MAX, LEAST, excerpt, steps
from marketdata.model.candle import Candle
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe
from marketdata.model.trade import Side, Trade

ARCHIVE_URL = BINANCE_ARCHIVE_URL
DAY = timedelta(days=1)
UNPACKED_BYTES_MAX = 4 * 2**30
"""The busiest day of the busiest symbol is well below one."""

_BLOCK_BYTES = 2**18
_LINE_BYTES_MAX = 2**20

_CHECKSUM = re.compile(r"([0-9a-f]{64})\b")
_SIDES = {"true": True, "false": False}
_UNREADABLE = (zipfile.BadZipFile, zlib.error, ValueError, InvalidOperation, IndexError, KeyError, EOFError, OSError)


class BinanceArchive:
    """Days of `aggTrades` (or of single `trades`), and of candles."""

    def __init__(self, name: str = NAME, *, kind: str = "aggTrades") -> None:
        self.name = name
        self._kind = kind

    def trade_days(self, symbol: str, span: Span) -> list[ArchiveDay]:
        """The whole days in `span`, oldest first."""
        return [_day(f"{self._kind}/{symbol}", f"{symbol}-{self._kind}", start) for start in _whole_days(span)]

    def candle_days(self, symbol: str, timeframe: Timeframe, span: Span) -> list[ArchiveDay]:
        """The same with candles. Raises: RequestInvalid for weeks: they do not fit into days."""
        if timeframe.duration > DAY:
            raise RequestInvalid("timeframe", f"the archive of days has no {timeframe} candles")
        path = f"klines/{symbol}/{timeframe}"
        return [_day(path, f"{symbol}-{timeframe}", start) for start in _whole_days(span)]

    def verify(self, body: bytes, checksum: bytes) -> None:
        """Raises: RemoteMalformed when the file is not the one that the checksum is of."""
        wanted = _CHECKSUM.match(checksum[:100].decode("ascii", "replace").lower())
        if wanted is None:
            raise RemoteMalformed(self.name, "archive: no checksum", excerpt(checksum))
        if sha256(body).hexdigest() != wanted[1]:
            raise RemoteMalformed(self.name, "archive: the file is not what its checksum says", wanted[1])

    def parse_trades(self, body: bytes, symbol: str) -> Iterator[Trade]:
        """The trades of one file, in its order, as they are unpacked. Raises: RemoteMalformed, at any of them."""
        many, one = (_singles, _single) if self._kind == "trades" else (_aggregates, _aggregate)
        for block in self._blocks(body):
            try:
                trades: Iterable[Trade] = many(block, symbol)
            except (msgspec.DecodeError, ValueError):
                # A header, or something that no trade has: row by row it is found out which.
                trades = self._one_by_one(block, symbol, one)
            yield from trades

    def _one_by_one(self, block: bytes, symbol: str, read: Callable[[list[str], str], Trade | None]) -> Iterator[Trade]:
        for row in self._rows_of(block):
            try:
                trade = read(row, symbol)
            except _UNREADABLE as error:
                raise RemoteMalformed(self.name, f"archive: {error}", ",".join(row)) from error
            if trade is not None:
                yield trade

    def parse_candles(self, body: bytes, symbol: str, timeframe: Timeframe, observed_at: datetime) -> list[Candle]:
        """The candles of one file, oldest first, ranked `venue`. Raises: RemoteMalformed."""
        candles = []
        for row in self._rows(body):
            try:
                candle = read_kline([*row], self.name, symbol, timeframe, observed_at)
            except _UNREADABLE as error:
                raise RemoteMalformed(self.name, f"archive: {error}", ",".join(row)) from error
            if candle is not None:
                candles.append(candle)
        return candles

    def _rows(self, body: bytes) -> Iterator[list[str]]:
        return (row for block in self._blocks(body) for row in self._rows_of(block))

    def _rows_of(self, block: bytes) -> Iterator[list[str]]:
        """The lines; one of names is none."""
        for line in block.decode("ascii", "backslashreplace").splitlines():
            if line[:1].isdigit():
                yield line.split(",")
            elif not line[:1].isalpha():
                raise RemoteMalformed(self.name, "archive: not a row", line[:300])

    def _blocks(self, body: bytes) -> Iterator[bytes]:
        """Whole lines of the one file in a zip, some at a time."""
        begun = b""
        try:
            with zipfile.ZipFile(io.BytesIO(body)) as packed:
                (member,) = packed.infolist()
                if member.file_size > UNPACKED_BYTES_MAX:
                    raise RemoteMalformed(self.name, f"archive: {member.file_size} bytes in one file", member.filename)
                with packed.open(member) as file:
                    while part := file.read(_BLOCK_BYTES):
                        whole, end, begun = (begun + part).rpartition(b"\n")
                        if end:
                            yield whole
                        elif len(begun) > _LINE_BYTES_MAX:
                            raise RemoteMalformed(self.name, "archive: a line without an end", excerpt(begun))
        except _UNREADABLE as error:
            raise RemoteMalformed(self.name, f"archive: {error}", excerpt(body)) from error
        if begun:
            yield begun


class _AggregateRow(msgspec.Struct, array_like=True, gc=False):
    """`number, price, quantity, first id, last id, time, buyer was maker, ...`; ids of -1 were taken back."""

    number: int
    price: Decimal
    size: Decimal
    first: int
    last: int
    time: int
    maker: bool


class _SingleRow(msgspec.Struct, array_like=True, gc=False):
    """`id, price, quantity, quote quantity, time, buyer was maker, ...`."""

    id: int
    price: Decimal
    size: Decimal
    quote_size: Decimal
    time: int
    maker: bool


_decode_aggregates = msgspec.json.Decoder(list[_AggregateRow]).decode
_decode_singles = msgspec.json.Decoder(list[_SingleRow]).decode


def _as_json(block: bytes) -> bytes:
    """Lines of numbers and truths are nearly JSON, which is decoded four times as fast as lines are taken apart."""
    return b"[[" + block.replace(b"\n", b"],[").replace(b"True", b"true").replace(b"False", b"false") + b"]]"


def _aggregates(block: bytes, symbol: str) -> list[Trade]:
    """As `read_aggregate` makes them, in one go. Raises: DecodeError, ValueError where something is no aggregate."""
    rows = [row for row in _decode_aggregates(_as_json(block)) if row.first >= 0]
    if not all(
        LEAST < row.price < GREATEST
        and LEAST < row.size < GREATEST
        and row.first <= row.last <= IDS_MAX
        and row.last - row.first < AGGREGATE_TRADES_MAX
        and 0 < row.time < MICROSECONDS_BELOW
        for row in rows
    ):
        raise ValueError("impossible numbers")
    buy, sell = Side.BUY, Side.SELL
    return [
        Trade(
            symbol,
            row.first,
            row.time * 1_000 if row.time >= MILLISECONDS_BELOW else row.time * 1_000_000,
            row.price,
            row.size,
            sell if row.maker else buy,
            row.last - row.first + 1,
        )
        for row in rows
    ]


def _singles(block: bytes, symbol: str) -> list[Trade]:
    """Raises: DecodeError, ValueError for a block in which something is no trade."""
    rows = _decode_singles(_as_json(block))
    if any(not 0 <= row.id <= IDS_MAX for row in rows):
        raise ValueError("impossible ids")
    return [read_trade(TradeMessage(symbol, row.id, row.price, row.size, row.time, row.maker)) for row in rows]


def _aggregate(row: list[str], symbol: str) -> Trade | None:
    """`number, price, quantity, first id, last id, time, buyer was maker, ...`; ids of -1 were taken back."""
    if int(row[3]) < 0:
        return None
    price, size, maker = Decimal(row[1]), Decimal(row[2]), _SIDES[row[6].lower()]
    return read_aggregate(AggregateMessage(symbol, int(row[3]), int(row[4]), price, size, int(row[5]), maker))


def _single(row: list[str], symbol: str) -> Trade:
    """`id, price, quantity, quote quantity, time, buyer was maker, ...`."""
    trade_id, maker = int(row[0]), _SIDES[row[5].lower()]
    if not 0 <= trade_id <= IDS_MAX:
        raise ValueError(f"id {trade_id}")
    return read_trade(TradeMessage(symbol, trade_id, Decimal(row[1]), Decimal(row[2]), int(row[4]), maker))


def _whole_days(span: Span) -> Iterator[datetime]:
    first = span.start.replace(hour=0, minute=0, second=0, microsecond=0)
    first = first if first == span.start else first + DAY
    return (start for start in steps(first, span.end, DAY) if start + DAY <= span.end)


def _day(path: str, beginning: str, start: datetime) -> ArchiveDay:
    file = f"/data/spot/daily/{path}/{beginning}-{start:%Y-%m-%d}.zip"
    return ArchiveDay(Span(start, start + DAY), Request(file), Request(f"{file}.CHECKSUM"))
