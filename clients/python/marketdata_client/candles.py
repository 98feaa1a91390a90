"""Candles, and what is known of the time that they speak of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, overload

from marketdata_client import frames

AVAILABLE, DEGRADED, MISSING = "available", "degraded", "missing"
_WORST_FIRST = (MISSING, DEGRADED, AVAILABLE)


@dataclass(frozen=True, slots=True)
class Candle:
    """One bucket `[open_time, close_time)`, exact. `source` is its rank, `complete` whether it is whole.

    `closed` is told by the live stream alone: whether the bucket is over.
    """

    exchange: str
    symbol: str
    timeframe: str
    open_time: datetime
    close_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal | None
    vwap: Decimal | None
    trades: int | None
    taker_buy_volume: Decimal | None
    first_id: int | None
    last_id: int | None
    complete: bool
    source: str
    revision: int
    simulated: bool
    closed: bool | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of `buckets` buckets without a candle; `state` and `reason` as the public ledger has them.

    The live stream tells more: the ledger's `id`, whose gap it is, and when it was found and settled.
    """

    start: datetime
    end: datetime
    buckets: int
    state: str
    reason: str = ""
    id: int | None = None
    exchange: str | None = None
    symbol: str | None = None
    timeframe: str | None = None
    cause: str | None = None
    found_at: datetime | None = None
    repaired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Candles(Sequence[Candle]):
    """Candles in order. `condition`: available, degraded (some in part) or missing (there are gaps).

    `coverage` is the share of buckets that are held whole or known to be empty; None where nothing was expected.
    `gaps` lists the first hundred of each page that was read; `gaps_total` counts all.
    """

    rows: tuple[Candle, ...]
    condition: str
    coverage: float | None
    gaps: tuple[Gap, ...]
    gaps_total: int
    as_of: datetime | None

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Candle]:
        return iter(self.rows)

    @overload
    def __getitem__(self, place: int) -> Candle: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Candle]: ...
    def __getitem__(self, place: int | slice) -> Candle | Sequence[Candle]:
        return self.rows[place]

    def to_pandas(self, *, exact: bool = False) -> Any:
        """A pandas.DataFrame by `open_time`. Amounts are float64, which keeps 15 digits; Decimals where `exact`."""
        return frames.to_pandas(self.rows, exact=exact)

    def to_polars(self, *, exact: bool = False) -> Any:
        """A polars.DataFrame. Amounts are Float64, which keeps 15 digits; Decimals where `exact`."""
        return frames.to_polars(self.rows, exact=exact)

    def to_arrow(self, *, exact: bool = False) -> Any:
        """A pyarrow.Table. Amounts are float64, which keeps 15 digits; decimals where `exact`."""
        return frames.to_arrow(self.rows, exact=exact)


def candle_of(record: Mapping[str, Any]) -> Candle:
    """The candle of a JSON record; fields that a newer service adds are left out."""
    return Candle(
        exchange=record["exchange"],
        symbol=record["symbol"],
        timeframe=record["timeframe"],
        open_time=moment(record["open_time"]),
        close_time=moment(record["close_time"]),
        open=Decimal(record["open"]),
        high=Decimal(record["high"]),
        low=Decimal(record["low"]),
        close=Decimal(record["close"]),
        volume=Decimal(record["volume"]),
        quote_volume=_amount(record["quote_volume"]),
        vwap=_amount(record["vwap"]),
        trades=record["trades"],
        taker_buy_volume=_amount(record["taker_buy_volume"]),
        first_id=record["first_id"],
        last_id=record["last_id"],
        complete=record["complete"],
        source=record["source"],
        revision=record["revision"],
        simulated=record["simulated"],
        closed=record.get("closed"),
    )


def gap_of(record: Mapping[str, Any]) -> Gap:
    """The gap of a JSON record."""
    start, end = moment(record["start"]), moment(record["end"])
    return Gap(
        start,
        end,
        record.get("buckets", 0),
        record.get("state", MISSING),
        record.get("reason", ""),
        **{name: record.get(name) for name in ("id", "exchange", "symbol", "timeframe", "cause")},
        found_at=_time(record.get("found_at")),
        repaired_at=_time(record.get("repaired_at")),
    )


def moment(told: str | datetime) -> datetime:
    """An aware time from RFC 3339; one that is a time already stays as it is."""
    return told if isinstance(told, datetime) else datetime.fromisoformat(told)


def joined(pages: Sequence[Mapping[str, Any]], rows: Sequence[Candle]) -> Candles:
    """What the `meta` of all pages says together, around `rows`.

    The condition is the worst of them, and coverage their mean, weighed by the time that each speaks of.
    """
    conditions = {page["condition"] for page in pages}
    return Candles(
        rows=tuple(rows),
        condition=next((one for one in _WORST_FIRST if one in conditions), AVAILABLE),
        coverage=_coverage(pages),
        gaps=tuple(_connected([gap_of(gap) for page in pages for gap in page["gaps"]])),
        gaps_total=sum(page["gaps_total"] for page in pages),
        as_of=moment(pages[-1]["as_of"]) if pages else None,
    )


def _time(told: str | None) -> datetime | None:
    return None if told is None else moment(told)


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _coverage(pages: Sequence[Mapping[str, Any]]) -> float | None:
    known: list[tuple[float, float]] = [
        (page["coverage"], _seconds(page["span"])) for page in pages if page["coverage"] is not None
    ]
    whole = sum(seconds for _, seconds in known)
    if len(known) == 1 or not whole:
        return known[0][0] if known else None
    return sum(share * seconds for share, seconds in known) / whole


def _seconds(span: Mapping[str, str]) -> float:
    return (moment(span["end"]) - moment(span["start"])).total_seconds()


def _connected(gaps: Sequence[Gap]) -> Iterator[Gap]:
    """A gap that lies on the edge between two pages is one gap."""
    before: Gap | None = None
    for gap in sorted(gaps, key=lambda one: one.start):
        if before is not None and (before.end, before.state, before.reason) == (gap.start, gap.state, gap.reason):
            before = Gap(before.start, gap.end, before.buckets + gap.buckets, gap.state, gap.reason)
            continue
        if before is not None:
            yield before
        before = gap
    if before is not None:
        yield before
