"""Dukascopy's classic archive: LZMA files of fixed big-endian records.

Paths count months from zero: 2019/01/04 is the fourth of February. A body of no bytes normally is a span without ticks,
but one address was seen to answer with data once and without the next time: ask again before believing it.
Source: docs/add-an-exchange.md#dukascopy; captures of 2019-02-04 (EURUSD) and 2023-02-19 (BTCUSD).
"""

import lzma
import re
import struct
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from marketdata.errors import RemoteMalformed, RequestInvalid
from marketdata.exchanges.dukascopy import (
    NAME,
    USUAL_SIDE,
    base_units,
    candle_spans,
    hours,
    instrument,
    is_flat,
    require_side,
    require_times,
)
from marketdata.exchanges.dukascopy_instruments import Listing, listing
from marketdata.exchanges.exchange import ArchiveFile, Request
from marketdata.exchanges.venue_candle import venue_candle
from marketdata.model.candle import Candle
from marketdata.model.instrument import Instrument
from marketdata.model.quote import PriceSide, sided
from marketdata.model.quote_columns import QuoteColumns
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe, timeframe_of_minutes
from marketdata.model.times import NANOSECONDS_A_SECOND, nanoseconds

CLASSIC_URL = "https://datafeed.dukascopy.com/datafeed"

# Milliseconds since the hour, ask, bid, and two volumes: floats, read as the integers of the same bits.
_TICK_BYTES = 20
# Seconds since the span began, open, close, low, high, volume. Not the order of anybody else.
_CANDLE = struct.Struct(">6i")
_FLOAT, _BITS = struct.Struct(">f"), struct.Struct(">i")
_UNPACKED_BYTES_MAX = 64 * 2**20
"""An hour of the busiest instrument is some 2 MB."""
_SIZES_MAX = 100_000
_BROKEN = (ValueError, lzma.LZMAError, struct.error)
_SIZE_MAX = 1e12
_KINDS = {1: "min_1", 60: "hour_1", 1440: "day_1"}
_PLACE = re.compile(
    r"(?:^|/)(?P<symbol>[A-Z0-9]+)/(?P<year>\d{4})(?:/(?P<month>\d\d))?(?:/(?P<day>\d\d))?"
    r"/(?:(?P<hour>\d\d)h_ticks|(?P<side>BID|ASK)_candles_(?P<kind>min_1|hour_1|day_1))\.bi5$"
)


class DukascopyClassic:
    """The .bi5 files. `name` is the exchange's name in data."""

    usual_side = USUAL_SIDE
    is_flat = staticmethod(is_flat)

    def __init__(self, name: str = NAME) -> None:
        self.name = name
        self._sizes = _Sizes()

    def instrument(self, symbol: str, side: PriceSide) -> Instrument:
        """What candles of a price are filed under. Raises: NotFound."""
        return instrument(self.name, symbol, side)

    def tick_files(self, symbol: str, span: Span) -> list[ArchiveFile]:
        """One file an hour. Raises: NotFound."""
        listed = listing(symbol)
        return [
            _file(listed, hour, None, USUAL_SIDE, f"{_folder(hour.start, 3)}/{hour.start:%H}h_ticks.bi5")
            for hour in hours(span)
        ]

    def candle_files(self, symbol: str, timeframe: Timeframe, side: PriceSide, span: Span) -> list[ArchiveFile]:
        """One file a day of 1m, a month of 1h, a year of 1d candles. Raises: NotFound, RequestInvalid."""
        listed, label = listing(symbol), require_side(side)
        spans = list(candle_spans(timeframe, span))
        kind, depth = _KINDS[timeframe.minutes], {1: 3, 60: 2, 1440: 1}[timeframe.minutes]
        return [
            _file(listed, part, timeframe, side, f"{_folder(part.start, depth)}/{label}_candles_{kind}.bi5")
            for part in spans
        ]

    def parse_ticks(self, body: bytes, file: ArchiveFile) -> QuoteColumns:
        """Decode one hour of ticks, in the file's order; no bytes at all are an hour without ticks.

        Raises: RemoteMalformed for what is not LZMA, is cut, lies outside its hour or runs backwards.
        """
        try:
            return self._columns(unpack(body), file)
        except _BROKEN as error:
            raise malformed(self.name, file, error, body) from error

    def _columns(self, unpacked: bytes, file: ArchiveFile) -> QuoteColumns:
        if len(unpacked) % _TICK_BYTES:
            raise ValueError(f"{len(unpacked)} bytes are not a multiple of {_TICK_BYTES}")
        # Five 32-bit numbers a tick, taken apart without a step of Python for each.
        words = array("i", unpacked)
        words.byteswap()
        milliseconds, asks, bids = (words[at::5].tolist() for at in range(3))
        require_times(milliseconds, file.span)
        if min(asks, default=1) <= 0 or min(bids, default=1) <= 0:
            raise ValueError(f"a price of {min(*asks, *bids)} points")
        self._sizes.bound()
        ask_sizes, bid_sizes = ([*map(self._sizes.__getitem__, words[at::5])] for at in (3, 4))
        places = len(str(listing(file.symbol).factor)) - 1
        start_ns = nanoseconds(file.span.start)
        return QuoteColumns(file.symbol, start_ns, places, milliseconds, bids, asks, bid_sizes, ask_sizes)

    def parse_candles(self, body: bytes, file: ArchiveFile, observed_at: datetime) -> list[Candle]:
        """Decode one file of candles, oldest first, the flat ones too. Raises: RemoteMalformed."""
        try:
            return list(self._candles(unpack(body), file, observed_at))
        except _BROKEN as error:
            raise malformed(self.name, file, error, body) from error

    def _candles(self, unpacked: bytes, file: ArchiveFile, observed_at: datetime) -> Iterator[Candle]:
        assert file.timeframe is not None, file
        symbol, prices = sided(file.symbol, file.side, USUAL_SIDE), _Prices(listing(file.symbol).factor)
        before, end = -1, (file.span.end - file.span.start) // timedelta(seconds=1)
        for seconds, opens, closes, lowest, highest, bits in _CANDLE.iter_unpack(unpacked):
            if not before < seconds < end:
                raise ValueError(f"a candle at {seconds} s follows one at {before} s of {end}")
            before = seconds
            yield venue_candle(
                self.name,
                symbol,
                file.timeframe,
                open_ns=nanoseconds(file.span.start) + seconds * NANOSECONDS_A_SECOND,
                prices=(prices[opens], prices[highest], prices[lowest], prices[closes]),
                volume=self._sizes[bits],
                observed_at=observed_at,
            )


def file_at(place: str) -> ArchiveFile:
    """The file that a path in the archive's layout names. Raises: NotFound, RequestInvalid."""
    found = _PLACE.search(place)
    if found is None:
        raise RequestInvalid("path", f"{place} is not <SYMBOL>/<year>/<month from 00>/<day>/<hour>h_ticks.bi5 or alike")
    month, day, hour = int(found["month"] or 0) + 1, int(found["day"] or 1), int(found["hour"] or 0)
    try:
        start = datetime(int(found["year"]), month, day, hour, tzinfo=UTC)
    except ValueError as error:
        raise RequestInvalid("path", f"{place} names no time: {error}") from error
    archive, moment = DukascopyClassic(), Span(start, start + timedelta(microseconds=1))
    if found["kind"] is None:
        return archive.tick_files(found["symbol"], moment)[0]
    minutes = next(minutes for minutes, kind in _KINDS.items() if kind == found["kind"])
    side = PriceSide(found["side"].lower())
    return archive.candle_files(found["symbol"], timeframe_of_minutes(minutes), side, moment)[0]


def unpack(body: bytes) -> bytes:
    """What an LZMA file holds. Raises: LZMAError; ValueError beyond what any file can hold, or when it is cut."""
    if not body:
        return b""
    reader = lzma.LZMADecompressor(format=lzma.FORMAT_ALONE)
    unpacked = reader.decompress(body, max_length=_UNPACKED_BYTES_MAX)
    if not reader.eof and (len(unpacked) >= _UNPACKED_BYTES_MAX or not reader.needs_input):
        raise ValueError(f"more than {_UNPACKED_BYTES_MAX} bytes unpacked")
    if not reader.eof and len(unpacked) != _declared(body):
        raise ValueError(f"cut after {len(unpacked)} bytes")
    return unpacked


def malformed(exchange: str, file: ArchiveFile, error: Exception, body: bytes) -> RemoteMalformed:
    """That a file cannot be read, with its place and its first bytes."""
    return RemoteMalformed(exchange, f"{file.place}: {error}", body[:40].hex())


class _Prices(dict[int, Decimal]):
    """Prices by their integers: an hour has few of them."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self._places = -len(str(factor)) + 1
        assert factor == 10**-self._places, factor

    def __missing__(self, points: int) -> Decimal:
        if points <= 0:
            raise ValueError(f"a price of {points} points")
        price = self[points] = Decimal(points).scaleb(self._places)
        return price


class _Sizes(dict[int, Decimal]):
    """Sizes in base currency by the bits of their floats: a few thousand make up most of the history."""

    def __missing__(self, bits: int) -> Decimal:
        size = self[bits] = base_units(_shortest(bits))
        return size

    def bound(self) -> None:
        """Forget everything when it has become much."""
        if len(self) > _SIZES_MAX:
            self.clear()


def _shortest(bits: int) -> Decimal:
    """The shortest decimal that means this 32-bit float: what was written before it became one."""
    packed = _BITS.pack(bits)
    (value,) = _FLOAT.unpack(packed)
    if not 0 <= value < _SIZE_MAX:
        raise ValueError(f"a volume of {value}")
    text = next(text for digits in range(6, 10) if _FLOAT.pack(float(text := f"{value:.{digits}g}")) == packed)
    return Decimal(text)


def _declared(body: bytes) -> int:
    """How many bytes the header of an LZMA file promises; all ones: it does not say."""
    return int.from_bytes(body[5:13], "little") if len(body) >= 13 else -1


def _file(listed: Listing, span: Span, timeframe: Timeframe | None, side: PriceSide, path: str) -> ArchiveFile:
    place = f"{listed.symbol}/{path}"
    return ArchiveFile(listed.symbol, span, timeframe, side, Request(place), place)


def _folder(time: datetime, depth: int) -> str:
    return "/".join((f"{time.year:04}", f"{time.month - 1:02}", f"{time.day:02}")[:depth])
