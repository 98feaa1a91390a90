"""How values look on their way to and from the database: JSON rows in, JSON columns out.

Numbers travel as text in both directions, because JSON clients and gateways turn numbers into floats. Times go in as
RFC 3339 and come out as microseconds since the epoch. The columns are those of migrations/.
"""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from marketdata.model.candle import Candle, Source
from marketdata.model.gap import Gap, GapState, NamedSpan
from marketdata.model.instrument import Calendar, Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe, timeframe_named, timeframe_of_minutes
from marketdata.model.times import EPOCH, NANOSECONDS_A_MICROSECOND, rfc3339, utc
from marketdata.model.trade import Side, Trade
from marketdata.store.store import CandlePage, DayCounts, FeedStatus

Row = dict[str, Any]


class InstrumentRow(msgspec.Struct):
    """A row of `instruments`."""

    id: int
    exchange: str
    symbol: str
    base: str
    quote: str
    timeframes: list[int]
    active: bool
    simulated: bool
    calendar: Calendar

    @property
    def instrument(self) -> Instrument:
        """The value that the row stands for."""
        timeframes = tuple(timeframe_of_minutes(minutes) for minutes in self.timeframes)
        return Instrument(
            self.exchange,
            self.symbol,
            self.base,
            self.quote,
            timeframes,
            active=self.active,
            simulated=self.simulated,
            calendar=self.calendar,
        )


class FeedRow(msgspec.Struct):
    """A row of `feeds`: the fields of FeedStatus, in their order."""

    exchange: str
    feed_id: str
    state: str
    started_at: datetime
    updated_at: datetime
    last_message_at: datetime | None
    last_trade_at: datetime | None
    symbols: int
    trades: int
    reconnects: int
    malformed: int
    spooled: int
    detail: str

    @property
    def status(self) -> FeedStatus:
        """The value that the row stands for."""
        return FeedStatus(*(_in_utc(value) for value in msgspec.structs.astuple(self)))


class CandleColumns(msgspec.Struct):
    """The answer of `get_candles_v1`: one list a column, all of one length."""

    open_time: list[int]
    open: list[Decimal]
    high: list[Decimal]
    low: list[Decimal]
    close: list[Decimal]
    volume: list[Decimal]
    quote_volume: list[Decimal | None]
    taker_buy_volume: list[Decimal | None]
    trades: list[int | None]
    first_id: list[int | None]
    last_id: list[int | None]
    source: list[Source]
    observed_at: list[int]
    revision: list[int]

    def __post_init__(self) -> None:
        _require_one_length(self)

    def candles(self, instrument: Instrument, timeframe: Timeframe) -> list[Candle]:
        """The values that the columns stand for, in their order."""
        names = [field.name for field in fields(Candle)[3:]]
        columns = {name: getattr(self, name) for name in names}
        columns["open_time"] = [_time(one) for one in self.open_time]
        columns["observed_at"] = [_time(one) for one in self.observed_at]
        rows = zip(*columns.values(), strict=True)
        return [Candle(instrument.exchange, instrument.symbol, timeframe, *row) for row in rows]


class NamedColumns(msgspec.Struct):
    """What `read_candles_v1` says of the ledger: one list a column, all of one length; times in microseconds."""

    start: list[int]
    end: list[int]
    state: list[GapState]
    reason: list[str]

    def __post_init__(self) -> None:
        _require_one_length(self)


class PageColumns(msgspec.Struct):
    """The answer of `read_candles_v1`; spans are pairs of start and end."""

    candles: CandleColumns
    empty: list[tuple[int, int]]
    lacking: list[tuple[int, int]]
    lacking_total: int
    gaps: NamedColumns
    gaps_cut: bool

    def page(self, instrument: Instrument, timeframe: Timeframe) -> CandlePage:
        """The value that the columns stand for."""
        edges = spans(list(zip(self.gaps.start, self.gaps.end, strict=True)))
        named = zip(edges, self.gaps.state, self.gaps.reason, strict=True)
        return CandlePage(
            self.candles.candles(instrument, timeframe),
            empty=spans(self.empty),
            lacking=spans(self.lacking),
            lacking_total=self.lacking_total,
            named=tuple(NamedSpan(*one) for one in named),
            named_cut=self.gaps_cut,
        )


class TradeColumns(msgspec.Struct):
    """The answer of `get_trades_v1`: one list a column, all of one length."""

    time: list[int]
    trade_id: list[int]
    price: list[Decimal]
    size: list[Decimal]
    taker_buy: list[bool]
    count: list[int]

    def __post_init__(self) -> None:
        _require_one_length(self)

    def trades(self, symbol: str) -> list[Trade]:
        """The values that the columns stand for, in their order."""
        rows = zip(self.trade_id, self.time, self.price, self.size, self.taker_buy, self.count, strict=True)
        return [
            Trade(symbol, id_, time * NANOSECONDS_A_MICROSECOND, price, size, Side.BUY if bought else Side.SELL, count)
            for id_, time, price, size, bought, count in rows
        ]


class CoverageSpans(msgspec.Struct):
    """The answer of `get_coverage_v1`: pairs of start and end."""

    covered: list[tuple[int, int]]
    empty: list[tuple[int, int]]


class DayColumns(msgspec.Struct):
    """The answer of `count_candles_v1`: the fields of DayCounts in their order, one list a column."""

    day: list[int]
    partial: list[int]
    live: list[int]
    venue: list[int]
    proven: list[int]
    manual: list[int]
    empty: list[int]

    def __post_init__(self) -> None:
        _require_one_length(self)

    def days(self) -> list[DayCounts]:
        """The values that the columns stand for, in their order."""
        _, *counts = msgspec.structs.astuple(self)
        return [DayCounts(_time(day), *row) for day, *row in zip(self.day, *counts, strict=True)]


class GapRow(msgspec.Struct):
    """A row of `gaps_v`."""

    id: int
    exchange: str
    symbol: str
    timeframe: str
    start: datetime
    end: datetime
    state: GapState
    cause: str
    found_at: datetime
    attempts: int
    worker: str | None
    lease_until: datetime | None
    retry_at: datetime | None
    repaired_at: datetime | None
    reason: str

    @property
    def gap(self) -> Gap:
        """The value that the row stands for."""
        id_, exchange, symbol, timeframe, start, end, *others = (_in_utc(one) for one in msgspec.structs.astuple(self))
        return Gap(id_, exchange, symbol, timeframe_named(timeframe), Span(start, end), *others)


class FoundGaps(msgspec.Struct):
    """The answer of `find_gaps_v1`: one list a column, all of one length; times in microseconds."""

    instrument_id: list[int]
    start: list[int]
    end: list[int]

    def __post_init__(self) -> None:
        _require_one_length(self)


def instrument_row(instrument: Instrument) -> Row:
    """A row for `instruments`; the database numbers it."""
    return {
        "exchange": instrument.exchange,
        "symbol": instrument.symbol,
        "base": instrument.base,
        "quote": instrument.quote,
        "timeframes": [timeframe.minutes for timeframe in instrument.timeframes],
        "active": instrument.active,
        "simulated": instrument.simulated,
        "calendar": instrument.calendar.value,
    }


def candle_row(candle: Candle, instrument_id: int) -> Row:
    """A row for `candles`: every column but `revision`, which the database counts."""
    return {
        "instrument_id": instrument_id,
        "timeframe": candle.timeframe.minutes,
        "open_time": rfc3339(candle.open_time),
        "open": number(candle.open),
        "high": number(candle.high),
        "low": number(candle.low),
        "close": number(candle.close),
        "volume": number(candle.volume),
        "quote_volume": number(candle.quote_volume),
        "taker_buy_volume": number(candle.taker_buy_volume),
        "trades": candle.trades,
        "first_id": candle.first_id,
        "last_id": candle.last_id,
        "source": int(candle.source),
        "observed_at": rfc3339(candle.observed_at),
        # A reported candle over a rolled up one: the row must stop being a rollup.
        "derived": False,
    }


def trade_row(trade: Trade, instrument_id: int) -> Row:
    """A row for `ticks`; its time is cut to the microsecond."""
    return {
        "instrument_id": instrument_id,
        "time": rfc3339(utc(trade.time_ns)),
        "trade_id": trade.id,
        "price": number(trade.price),
        "size": number(trade.size),
        "taker_buy": trade.side is Side.BUY,
        "count": trade.count,
    }


def feed_row(status: FeedStatus) -> Row:
    """A row for `feeds`."""
    names = (field.name for field in fields(status))
    values = (rfc3339(value) if isinstance(value, datetime) else value for value in astuple(status))
    return dict(zip(names, values, strict=True))


def number(value: Decimal | None) -> str | None:
    """The exact digits of a number."""
    return None if value is None else str(value)


def time_text(time: datetime | None) -> str | None:
    """A time as an argument of a database function."""
    return None if time is None else rfc3339(time)


def multirange(spans: Iterable[Span]) -> str:
    """A `tstzmultirange` literal."""
    return "{" + ",".join(f"[{rfc3339(span.start)},{rfc3339(span.end)})" for span in spans) + "}"


def spans(pairs: Sequence[tuple[int, int]]) -> tuple[Span, ...]:
    """Pairs of microseconds as spans."""
    return tuple(Span(_time(start), _time(end)) for start, end in pairs)


def _time(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def _in_utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def _require_one_length(columns: msgspec.Struct) -> None:
    """Raises: ValueError, which a decoder reports as the answer's mistake."""
    lengths = {len(column) for column in msgspec.structs.astuple(columns)}
    if len(lengths) > 1:
        raise ValueError(f"columns of {sorted(lengths)} rows")
