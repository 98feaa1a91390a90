"""Candles as clients hear them: the records of /v1/candles, and of the live stream."""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

import msgspec

from marketdata.model.candle import Candle
from marketdata.model.span import Span
from marketdata.model.times import rfc3339
from marketdata.serve.condition import Condition
from marketdata.serve.decimals import as_string
from marketdata.serve.json_types import Instant
from marketdata.serve.labelled import Labelled

# Lambda answers with at most 6 MB, in which the body is a JSON string: every quote in it takes two bytes.
BODY_BYTES_MAX = 5_500_000

Number = str | msgspec.Raw
AsJson = Callable[[Decimal | None], Number | None]


class Stretch(msgspec.Struct, frozen=True):
    """A stretch that touches `buckets` buckets; `reason` is empty where the ledger gives none."""

    start: Instant
    end: Instant
    buckets: int
    state: str
    reason: str


class SpanRecord(msgspec.Struct, frozen=True):
    start: Instant
    end: Instant


class CandlesMeta(msgspec.Struct, frozen=True):
    condition: str
    coverage: float | None
    span: SpanRecord | None
    gaps: list[Stretch]
    gaps_total: int
    partial: list[Stretch]
    partial_total: int
    quiet: list[Stretch]
    quiet_total: int
    truncated: bool
    as_of: Instant
    simulated: bool


_encoder = msgspec.json.Encoder()
_MINUTES_A_DAY = 24 * 60
_CLOCK = tuple(f"T{minute // 60:02}:{minute % 60:02}:00Z" for minute in range(_MINUTES_A_DAY))


def candle_record(candle: Candle, simulated: bool, number: AsJson = as_string) -> dict[str, object]:
    """`candle` as JSON shows it, field by field as docs/data-semantics.md has them; times are RFC 3339, UTC.

    `number` writes the decimals: as strings, or as JSON numbers.
    """
    open_time, close_time = _edges(candle)
    return {
        "exchange": candle.exchange,
        "symbol": candle.symbol,
        "timeframe": candle.timeframe.name,
        "open_time": open_time,
        "close_time": close_time,
        "open": number(candle.open),
        "high": number(candle.high),
        "low": number(candle.low),
        "close": number(candle.close),
        "volume": number(candle.volume),
        "quote_volume": number(candle.quote_volume),
        "vwap": number(candle.vwap),
        "trades": candle.trades,
        "taker_buy_volume": number(candle.taker_buy_volume),
        "first_id": candle.first_id,
        "last_id": candle.last_id,
        "complete": candle.complete,
        "source": candle.source.label,
        "revision": candle.revision,
        "simulated": simulated,
    }


def _edges(candle: Candle) -> tuple[str, str]:
    """RFC 3339 of when a bucket opens and closes: whole minutes in UTC. Far faster than isoformat of both."""
    opens = candle.open_time
    minute = (opens.toordinal() * 24 + opens.hour) * 60 + opens.minute
    return _minute(minute), _minute(minute + candle.timeframe.minutes)


def _minute(minute: int) -> str:
    """Of the minutes since the day before 0001-01-01."""
    day, of_day = divmod(minute, _MINUTES_A_DAY)
    return _day(day) + _CLOCK[of_day]


@lru_cache(maxsize=4096)
def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


def encode_rows(
    candles: Iterable[Candle], simulated: bool, number: AsJson, bytes_max: int = BODY_BYTES_MAX
) -> list[bytes]:
    """The records of the first candles, each encoded; as many as `bytes_max` holds, and at least one."""
    rows: list[bytes] = []
    size = 0
    for candle in candles:
        row = _encoder.encode(candle_record(candle, simulated, number))
        size += len(row) + row.count(b'"')
        if rows and size > bytes_max:
            break
        rows.append(row)
    return rows


def candles_body(
    rows: Iterable[bytes], next_cursor: str | None, condition: Condition, as_of: datetime, simulated: bool
) -> str:
    """The whole answer of /v1/candles around rows that are already encoded."""
    meta = CandlesMeta(
        condition=condition.name,
        coverage=condition.coverage,
        span=_span(condition.span),
        gaps=[_gap(gap) for gap in condition.gaps],
        gaps_total=condition.gaps_total,
        partial=[_gap(gap) for gap in condition.partial],
        partial_total=condition.partial_total,
        quiet=[_gap(gap) for gap in condition.quiet],
        quiet_total=condition.quiet_total,
        truncated=condition.truncated,
        as_of=rfc3339(as_of),
        simulated=simulated,
    )
    tail = b'],"next_cursor":%b,"meta":%b}' % (_encoder.encode(next_cursor), _encoder.encode(meta))
    return (b'{"data":[' + b",".join(rows) + tail).decode()


def _span(span: Span | None) -> SpanRecord | None:
    return None if span is None else SpanRecord(rfc3339(span.start), rfc3339(span.end))


def _gap(gap: Labelled) -> Stretch:
    return Stretch(rfc3339(gap.span.start), rfc3339(gap.span.end), gap.buckets, gap.state, gap.reason)
