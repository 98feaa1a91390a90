"""What a store answers, beside the values of the model: coverage, pages, counts, changes, audits, and feeds' words."""

from dataclasses import dataclass, field
from datetime import datetime

from marketdata.compute.continuity import Contiguity
from marketdata.model.candle import Candle
from marketdata.model.gap import NamedSpan
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is known of one instrument and timeframe inside a span.

    `covered`: buckets held with a source above partial. `empty`: buckets in which the exchange confirmed no trades.
    Both are sorted, disjoint, merged where they touch, and clipped to the span asked for.
    """

    covered: tuple[Span, ...]
    empty: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class CandlePage:
    """Candles, and what is known of the settled time around them in which none is held whole.

    `empty`: time without a candle that is known to be empty. `lacking`: the minutes, neither held nor known to be
    empty, that candles held in part are missing, at most the first thousand of `lacking_total`. `named`: the gaps of
    the ledger that meet the time which is missing, in order of time; the first thousand, if `named_cut`. `version`: as
    Store.candles_version gives it.
    """

    candles: list[Candle]
    empty: tuple[Span, ...] = ()
    lacking: tuple[Span, ...] = ()
    lacking_total: int = 0
    named: tuple[NamedSpan, ...] = ()
    named_cut: bool = False
    version: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class DayCounts:
    """How many buckets of one instrument and timeframe open on a UTC day and are held, by source, or known to be empty.

    `day`: its midnight. A bucket is counted once.
    """

    day: datetime
    partial: int = 0
    live: int = 0
    venue: int = 0
    proven: int = 0
    manual: int = 0
    empty: int = 0


@dataclass(frozen=True, slots=True)
class Changes:
    """The time of candles that changed, in the order of the drains; what comes next is after `last_id`."""

    last_id: int
    times: tuple[tuple[Instrument, Span], ...] = ()


@dataclass(frozen=True, slots=True)
class CoverageFault:
    """Whole buckets of which coverage says something else than the rows; `held`: the rows are there."""

    timeframe: Timeframe
    span: Span
    held: bool


@dataclass(frozen=True, slots=True)
class CoverageAudit:
    """What an audit found: the first thousand of `total` faults, by timeframe and time."""

    faults: tuple[CoverageFault, ...] = ()
    total: int = 0


@dataclass(frozen=True, slots=True)
class TroubledInstrument:
    """What the trade ids of one instrument showed, and how many are known to be missing now."""

    symbol: str
    missing: int
    contiguity: Contiguity


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """What one feed process last said of one exchange.

    `state`: connecting, live, stale, down or stopped. Counters count since the process started. `contiguity` sums over
    all instruments, `missing` is how many trade ids are known to be missing now, `troubled` are the worst instruments.
    Of `spool_max` candles that may wait for the store `spooled` do. `stored_at` is the store's own clock when it heard.
    """

    exchange: str
    feed_id: str
    state: str
    started_at: datetime
    updated_at: datetime
    last_message_at: datetime | None = None
    last_trade_at: datetime | None = None
    symbols: int = 0
    trades: int = 0
    reconnects: int = 0
    malformed: int = 0
    spooled: int = 0
    detail: str = ""
    contiguity: Contiguity = field(default_factory=Contiguity)
    missing: int = 0
    troubled: tuple[TroubledInstrument, ...] = ()
    spool_max: int = 0
    stored_at: datetime | None = field(default=None, compare=False)
