"""The shapes of bodies that are written or read without a type, for docs/openapi.json alone: no handler imports this.

tests/functions/test_shapes.py holds each against what is really answered and taken.
"""

from dataclasses import fields
from decimal import Decimal
from typing import Annotated, Any, Literal, get_type_hints

import msgspec

from marketdata.model.statistics import MarketComparison, MarketSnapshot, RoiStatistic
from marketdata.serve.candles_json import CandlesMeta
from marketdata.serve.json_types import Amount, Instant
from marketdata.serve.statistics_json import NOT_TOLD, StatisticsMeta
from marketdata.serve.ticks_json import TicksMeta

Source = Literal["partial", "live", "venue", "proven", "manual"]


class CandleRecord(msgspec.Struct, frozen=True):
    """A candle of the bucket `[open_time, close_time)`; docs/data-semantics.md says what each field means.

    Filled ones (`fill`) have no source, and may have no price. With `time=s` or `ms` times are integers. Each mean that
    `indicators` names is a field of its name, as `sma10`.
    """

    exchange: str
    symbol: str
    timeframe: str
    open_time: Instant | int
    close_time: Instant | int
    open: Amount | None
    high: Amount | None
    low: Amount | None
    close: Amount | None
    volume: Amount | None
    quote_volume: Amount | None
    vwap: Amount | None
    trades: int | None
    taker_buy_volume: Amount | None
    first_id: int | None
    last_id: int | None
    complete: bool
    source: Source | None
    revision: int
    simulated: bool
    sma10: Amount | msgspec.UnsetType | None = msgspec.UNSET
    filled: bool | msgspec.UnsetType = msgspec.UNSET


class PlainCandle(msgspec.Struct, frozen=True):
    """A candle with the ten fields that everybody has."""

    exchange: str
    symbol: str
    timeframe: str
    open_time: Instant
    close_time: Instant
    open: Amount
    high: Amount
    low: Amount
    close: Amount
    volume: Amount


PlainCandles = list[PlainCandle]


class UnixCandle(msgspec.Struct, frozen=True):
    """A candle that opens so many seconds after 1970 began."""

    time: int
    open: Amount
    high: Amount
    low: Amount
    close: Amount
    volume: Amount


UnixCandles = list[UnixCandle]


class Candles(msgspec.Struct, frozen=True):
    """A page of candles, and what is known of the time it speaks of."""

    data: list[CandleRecord]
    next_cursor: str | None
    meta: CandlesMeta


class TickRecord(msgspec.Struct, frozen=True):
    """A trade, or so many alike; `side` is the taker's, null where nobody said."""

    exchange: str
    symbol: str
    id: int
    time: Instant
    price: Amount
    size: Amount
    side: Literal["buy", "sell"] | None
    trades: int
    simulated: bool


class Ticks(msgspec.Struct, frozen=True):
    """A page of ticks."""

    data: list[TickRecord]
    next_cursor: str | None
    meta: TicksMeta


class HistoryRecord(msgspec.Struct, frozen=True):
    """A candle with the mean of ten closes, null until ten follow each other."""

    time: Instant
    open: Amount
    high: Amount
    low: Amount
    close: Amount
    volume: Amount
    trades: int | None
    sma10: Amount | None
    complete: bool
    source: Source


class History(msgspec.Struct, frozen=True):
    """The newest candles of one instrument, oldest first."""

    data: list[HistoryRecord]
    symbol: str
    exchange: str
    meta: TicksMeta


class MarketName(msgspec.Struct, frozen=True):
    """One side of a comparison."""

    exchange: str
    symbol: str


Document = dict[str, Any]


class Health(msgspec.Struct, frozen=True):
    """`live`: the process answers. `ready`: it reaches its store."""

    status: Literal["live", "ready"]


class PlainHealth(msgspec.Struct, frozen=True):
    """The process answers, and reaches its store."""

    status: Literal["ok"]


class PushedTrade(msgspec.Struct, frozen=True):
    """A trade as its exchange numbered it; `side` is the taker's. Numbers are read exactly."""

    symbol: str
    id: Annotated[int, msgspec.Meta(ge=0)]
    time: Instant | int
    price: str | float
    size: str | float
    side: Literal["buy", "sell"]


class PushedTrades(msgspec.Struct, frozen=True):
    """Trades of one exchange."""

    exchange: str
    trades: Annotated[list[PushedTrade], msgspec.Meta(max_length=1000)]


class WantedExport(msgspec.Struct, frozen=True):
    """Which candles are wanted as a file: `start <= open_time < end`; without an end up to now."""

    symbol: str
    start: str | int
    end: str | int | None = None
    timeframe: str | None = None
    exchange: str | None = None


class WantedMarkets(msgspec.Struct, frozen=True):
    """Compute statistics now: of these markets, or of all."""

    symbols: Annotated[list[str], msgspec.Meta(max_length=100)] | None = None


class PushedTick(msgspec.Struct, frozen=True):
    """A tick in a webhook sender's words; each field goes by its usual other names too (docs/api.md)."""

    symbol: str
    price: str | float
    size: str | float
    time: str | int
    exchange: str | None = None
    id: str | int | None = None
    side: str | None = None


class PushedTickList(msgspec.Struct, frozen=True):
    """Ticks in a list of that name."""

    items: list[PushedTick]


PushedTicks = list[PushedTick]


class PushedSymbolRecord(msgspec.Struct, frozen=True):
    """A symbol that ticks will come for; what its name does not tell of base and quote must be told."""

    symbol: str
    base: str = ""
    quote: str = ""
    active: bool = True
    exchange: str = "webhook"


class PushedSymbolList(msgspec.Struct, frozen=True):
    """Symbols in a list of that name."""

    items: list[PushedSymbolRecord]


PushedSymbols = list[PushedSymbolRecord]


class PipelineCounts(msgspec.Struct, frozen=True, rename="camel"):
    """How many rows were written; `marketsLeft` are those that time ran out before."""

    markets_ingested: int
    snapshots_ingested: int
    aggregates_ingested: int
    comparisons_ingested: int
    roi_stats_ingested: int
    markets_left: int
    started_at: Instant
    completed_at: Instant
    trigger: str


class Pipeline(msgspec.Struct, frozen=True):
    """What an ingestion run did."""

    status: str
    result: PipelineCounts


class JobAnswer(msgspec.Struct, frozen=True):
    """What a job did; `result` counts in the job's own words."""

    status: str
    job: str
    result: dict[str, Any]
    started_at: Instant
    completed_at: Instant
    trigger: str


def _statistic(name: str, row: type, who: list[tuple[str, Any]], description: str) -> type[msgspec.Struct]:
    """The record of a statistic, from the fields of its value: as serve/statistics_json writes it."""
    hints = get_type_hints(row)
    told = [(one.name, hints[one.name]) for one in fields(row) if one.name not in NOT_TOLD]
    figures = [(field, Amount | None if kind == Decimal | None else kind) for field, kind in told]
    shape = dict([*who, *figures, ("as_of", Instant), ("simulated", bool)])
    return msgspec.defstruct(name, list(shape.items()), namespace={"__doc__": description}, frozen=True)


def _page(name: str, record: type[msgspec.Struct]) -> type[msgspec.Struct]:
    shape = [("data", list[record]), ("next_cursor", str | None), ("meta", StatisticsMeta)]  # type: ignore[valid-type]
    return msgspec.defstruct(name, shape, namespace={"__doc__": "A page of statistics."}, frozen=True)


_MARKET: list[tuple[str, Any]] = [("exchange", str), ("symbol", str)]
_SIDES: list[tuple[str, Any]] = [("first", MarketName), ("second", MarketName)]

RoiRecord = _statistic(
    "RoiRecord",
    RoiStatistic,
    [*_MARKET, ("window", str), ("timeframe", str)],
    "Return and risk of one market over the window that ends at `as_of`. Ratios, not percent.",
)
SnapshotRecord = _statistic("SnapshotRecord", MarketSnapshot, _MARKET, "One market at `as_of`.")
ComparisonRecord = _statistic("ComparisonRecord", MarketComparison, _SIDES, "Two markets at the same quarter hour.")
RoiPage = _page("RoiPage", RoiRecord)
SnapshotPage = _page("SnapshotPage", SnapshotRecord)
ComparisonPage = _page("ComparisonPage", ComparisonRecord)
