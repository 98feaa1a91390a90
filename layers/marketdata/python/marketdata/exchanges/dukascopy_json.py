"""Dukascopy's newer archive: JSON whose prices and times are differences from one entry to the next.

Paths count months from one. A price is a running sum of whole steps of `multiplier`, beginning at the price that the
answer names; times add up likewise, of ticks in milliseconds, of candles in steps of `shift`. Steps without a tick have
no candle. Volumes of ticks are in base currency, of candles in millions of it. An answer without entries is a span
without ticks. Not documented by Dukascopy; learnt from the public client dukascopy-node 1.50: treat it as unstable.
Source: docs/add-an-exchange.md#dukascopy.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import accumulate

import msgspec

from marketdata.errors import RemoteMalformed
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
from marketdata.model.timeframe import Timeframe
from marketdata.model.times import nanoseconds

JSON_URL = "https://jetta.dukascopy.com/v1"

_NANOSECONDS_A_MILLISECOND = 1_000_000
_SIZE_MAX = Decimal("1e18")
_KINDS = {1: "minute", 60: "hour", 1440: "day"}
_DEPTHS = {1: 3, 60: 2, 1440: 1}


class _Ticks(msgspec.Struct, rename="camel"):
    timestamp: int
    multiplier: Decimal
    times: list[int]
    asks: list[int]
    bids: list[int]
    ask_volumes: list[Decimal]
    bid_volumes: list[Decimal]
    ask: Decimal | None = None
    bid: Decimal | None = None


class _Candles(msgspec.Struct):
    timestamp: int
    multiplier: Decimal
    shift: int
    times: list[int]
    opens: list[int]
    highs: list[int]
    lows: list[int]
    closes: list[int]
    volumes: list[Decimal]
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    close: Decimal | None = None


class DukascopyJson:
    """The JSON answers. `name` is the exchange's name in data."""

    usual_side = USUAL_SIDE
    is_flat = staticmethod(is_flat)

    def __init__(self, name: str = NAME) -> None:
        self.name = name
        self._decode_ticks = msgspec.json.Decoder(_Ticks).decode
        self._decode_candles = msgspec.json.Decoder(_Candles).decode

    def instrument(self, symbol: str, side: PriceSide) -> Instrument:
        """What candles of a price are filed under. Raises: NotFound."""
        return instrument(self.name, symbol, side)

    def tick_files(self, symbol: str, span: Span) -> list[ArchiveFile]:
        """One answer an hour. Raises: NotFound."""
        listed = listing(symbol)
        return [
            _file(listed, hour, None, USUAL_SIDE, f"ticks/{listed.code}/{_date(hour.start, 3)}/{hour.start.hour}")
            for hour in hours(span)
        ]

    def candle_files(self, symbol: str, timeframe: Timeframe, side: PriceSide, span: Span) -> list[ArchiveFile]:
        """One answer a day of 1m, a month of 1h, a year of 1d candles. Raises: NotFound, RequestInvalid."""
        listed, label = listing(symbol), require_side(side)
        spans = list(candle_spans(timeframe, span))
        folder = f"candles/{_KINDS[timeframe.minutes]}/{listed.code}/{label}"
        return [
            _file(listed, part, timeframe, side, f"{folder}/{_date(part.start, _DEPTHS[timeframe.minutes])}")
            for part in spans
        ]

    def parse_ticks(self, body: bytes, file: ArchiveFile) -> QuoteColumns:
        """Decode one hour of ticks, in the answer's order. Raises: RemoteMalformed."""
        try:
            return _columns(self._decode_ticks(body), file)
        except (msgspec.DecodeError, ValueError, InvalidOperation, RecursionError) as error:
            raise _malformed(self.name, file, error, body) from error

    def parse_candles(self, body: bytes, file: ArchiveFile, observed_at: datetime) -> list[Candle]:
        """Decode one answer of candles, oldest first. Raises: RemoteMalformed."""
        try:
            return list(_candles(self.name, self._decode_candles(body), file, observed_at))
        except (msgspec.DecodeError, ValueError, InvalidOperation, RecursionError) as error:
            raise _malformed(self.name, file, error, body) from error


def _columns(ticks: _Ticks, file: ArchiveFile) -> QuoteColumns:
    start_ns, places = nanoseconds(file.span.start), _places(ticks.multiplier)
    if not ticks.times:
        return QuoteColumns(file.symbol, start_ns, places, (), (), (), (), ())
    offset = ticks.timestamp - start_ns // _NANOSECONDS_A_MILLISECOND
    milliseconds = [*accumulate(ticks.times, initial=offset)][1:]
    require_times(milliseconds, file.span)
    bids, asks = _points(ticks.bids, ticks.bid, ticks.multiplier), _points(ticks.asks, ticks.ask, ticks.multiplier)
    sizes = (ticks.bid_volumes, ticks.ask_volumes)
    if len({len(milliseconds), len(bids), len(asks), *map(len, sizes)}) != 1:
        raise ValueError("columns of several lengths")
    if not all(0 <= size < _SIZE_MAX for column in sizes for size in column):
        raise ValueError("a size below zero or beyond all bounds")
    return QuoteColumns(file.symbol, start_ns, places, milliseconds, bids, asks, *sizes)


def _candles(exchange: str, body: _Candles, file: ArchiveFile, observed_at: datetime) -> Iterator[Candle]:
    assert file.timeframe is not None, file
    if not body.times:
        return
    length_ns = file.timeframe.duration_ns
    if body.shift * _NANOSECONDS_A_MILLISECOND != length_ns:
        raise ValueError(f"steps of {body.shift} ms are not {file.timeframe}")
    times = _sums(body.times, body.timestamp * _NANOSECONDS_A_MILLISECOND, length_ns)
    columns = (
        _prices(body.opens, body.open, body.multiplier),
        _prices(body.highs, body.high, body.multiplier),
        _prices(body.lows, body.low, body.multiplier),
        _prices(body.closes, body.close, body.multiplier),
    )
    symbol = sided(file.symbol, file.side, USUAL_SIDE)
    for open_ns, opens, highest, lowest, closes, volume in zip(times, *columns, body.volumes, strict=True):
        _require_inside(open_ns, file.span)
        prices = (opens, highest, lowest, closes)
        yield venue_candle(
            exchange,
            symbol,
            file.timeframe,
            open_ns=open_ns,
            prices=prices,
            volume=base_units(volume),
            observed_at=observed_at,
        )


def _sums(steps: Sequence[int], first_ns: int, step_ns: int) -> list[int]:
    if min(steps) < 0:
        raise ValueError("time runs backwards")
    return [first_ns + total * step_ns for total in accumulate(steps)]


def _prices(steps: Sequence[int], base: Decimal | None, multiplier: Decimal) -> list[Decimal]:
    return [Decimal(points).scaleb(-_places(multiplier)) for points in _points(steps, base, multiplier)]


def _points(steps: Sequence[int], base: Decimal | None, multiplier: Decimal) -> list[int]:
    """Running sums of whole steps, from the step nearest to the price that the answer begins with."""
    if base is None or not 0 < base < _SIZE_MAX:
        raise ValueError(f"prices begin at {base}")
    first = int((base / multiplier).to_integral_value())
    points = [*accumulate(steps, initial=first)][1:]
    if min(points, default=1) <= 0:
        raise ValueError("a price falls to zero")
    return points


def _places(multiplier: Decimal) -> int:
    """How many decimals a price has. Raises: ValueError for steps that are not a tenth, a hundredth, ..."""
    sign, digits, exponent = multiplier.normalize().as_tuple()
    if sign or digits != (1,) or not isinstance(exponent, int) or not -12 <= exponent <= 0:
        raise ValueError(f"steps of {multiplier}")
    return -exponent


def _require_inside(time_ns: int, span: Span) -> None:
    if not nanoseconds(span.start) <= time_ns < nanoseconds(span.end):
        raise ValueError(f"{time_ns} ns is not of {span.start} .. {span.end}")


def _malformed(exchange: str, file: ArchiveFile, error: Exception, body: bytes) -> RemoteMalformed:
    return RemoteMalformed(exchange, f"{file.place}: {error}", body[:300].decode("utf-8", "backslashreplace"))


def _file(listed: Listing, span: Span, timeframe: Timeframe | None, side: PriceSide, path: str) -> ArchiveFile:
    return ArchiveFile(listed.symbol, span, timeframe, side, Request(path), f"{path}.json")


def _date(time: datetime, depth: int) -> str:
    return "/".join(str(part) for part in (time.year, time.month, time.day)[:depth])
