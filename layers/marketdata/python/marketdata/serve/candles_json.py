"""Candles as clients hear them in JSON: the records of /v1/candles and of the live stream, the columns, bare lists."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import lru_cache

import msgspec

from marketdata.model.candle import Candle
from marketdata.model.span import Span
from marketdata.model.times import rfc3339
from marketdata.serve.candle_answer import CandleAnswer, CandleRow, Fill, TimeForm
from marketdata.serve.decimals import AsJson, as_string
from marketdata.serve.json_types import Instant
from marketdata.serve.labelled import Labelled

Record = dict[str, object]


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
    """What is known of an answer's time: see serve/condition.py."""

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


_encode = msgspec.json.Encoder().encode
_MINUTES_A_DAY = 24 * 60
_CLOCK = tuple(f"T{minute // 60:02}:{minute % 60:02}:00Z" for minute in range(_MINUTES_A_DAY))
# What the Candle of the service that had /candles first is made of; its clients make one of each record.
_PLAIN = ("exchange", "symbol", "timeframe", "open_time", "close_time", "open", "high", "low", "close", "volume")
_OF_ALL_ROWS = ("exchange", "symbol", "timeframe", "simulated")
_ZERO = Decimal(0)


def candle_record(candle: Candle, simulated: bool, number: AsJson = as_string) -> Record:
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


def records(answer: CandleAnswer) -> Iterator[Record]:
    """The rows as records; what the view asks for comes last."""
    simulated, view = answer.instrument.simulated, answer.view
    names = tuple(f"sma{length}" for length in view.averages)
    filling, plain = view.fill is not Fill.NONE, view.time is TimeForm.ISO
    for row in answer.rows:
        record = candle_record(row.candle, simulated, view.number) if row.candle else _filled(answer, row)
        if not plain:
            record["open_time"] = view.time.write(row.open_time)
            record["close_time"] = view.time.write(row.open_time + answer.timeframe.duration)
        for name, mean in zip(names, row.means, strict=True):
            record[name] = view.number(mean)
        if filling:
            record["filled"] = row.candle is None
        yield record


def records_body(answer: CandleAnswer) -> bytes:
    """`{"data": [record, ...], "next_cursor": ..., "meta": ...}`."""
    body = {"data": list(records(answer)), "next_cursor": answer.next_cursor, "meta": meta(answer)}
    return _encode(body)


def columns_body(answer: CandleAnswer) -> bytes:
    """`{"exchange": ..., "data": {"open_time": [...], ...}, "next_cursor": ..., "meta": ...}`."""
    instrument = answer.instrument
    body = {
        "exchange": instrument.exchange,
        "symbol": instrument.symbol,
        "timeframe": answer.timeframe.name,
        "data": columns(answer, without=_OF_ALL_ROWS),
        "next_cursor": answer.next_cursor,
        "meta": meta(answer),
    }
    return _encode(body)


def plain_body(answer: CandleAnswer) -> bytes:
    """A bare list of records with the ten fields that everybody has."""
    return _encode([{name: record[name] for name in _PLAIN} for record in records(answer)])


def unix_body(answer: CandleAnswer) -> bytes:
    """A bare list of `{time, open, high, low, close, volume}`, time in whole seconds since 1970."""
    number, seconds = answer.view.number, TimeForm.SECONDS.write
    rows = [
        {
            "time": seconds(row.open_time),
            "open": number(row.candle.open),
            "high": number(row.candle.high),
            "low": number(row.candle.low),
            "close": number(row.candle.close),
            "volume": number(row.candle.volume),
        }
        for row in answer.rows
        if row.candle is not None
    ]
    return _encode(rows)


def columns(answer: CandleAnswer, without: tuple[str, ...] = ()) -> dict[str, list[object]]:
    """The records turned round: a list a field, all of them there even without a row."""
    rows = list(records(answer))
    return {name: [row[name] for row in rows] for name in field_names(answer) if name not in without}


def field_names(answer: CandleAnswer) -> tuple[str, ...]:
    """The fields of every record, in their order."""
    averages = tuple(f"sma{length}" for length in answer.view.averages)
    return (*_RECORD, *averages, *(("filled",) if answer.view.fill is not Fill.NONE else ()))


def meta(answer: CandleAnswer) -> CandlesMeta:
    """What is known of the answer."""
    condition = answer.condition
    return CandlesMeta(
        condition=condition.name,
        coverage=condition.coverage,
        span=span_record(condition.span),
        gaps=[stretch(gap) for gap in condition.gaps],
        gaps_total=condition.gaps_total,
        partial=[stretch(gap) for gap in condition.partial],
        partial_total=condition.partial_total,
        quiet=[stretch(gap) for gap in condition.quiet],
        quiet_total=condition.quiet_total,
        truncated=condition.truncated,
        as_of=rfc3339(answer.as_of),
        simulated=answer.instrument.simulated,
    )


_RECORD = (
    *("exchange", "symbol", "timeframe", "open_time", "close_time", "open", "high", "low", "close", "volume"),
    *("quote_volume", "vwap", "trades", "taker_buy_volume", "first_id", "last_id", "complete", "source", "revision"),
    "simulated",
)


def _filled(answer: CandleAnswer, row: CandleRow) -> Record:
    """A bucket without a candle: no trades at the close before it, or nothing but nulls."""
    number, stands = answer.view.number, row.close_before is not None
    price, nothing = number(row.close_before), number(_ZERO if stands else None)
    known: Record = {
        "exchange": answer.instrument.exchange,
        "symbol": answer.instrument.symbol,
        "timeframe": answer.timeframe.name,
        "open_time": rfc3339(row.open_time),
        "close_time": rfc3339(row.open_time + answer.timeframe.duration),
        **dict.fromkeys(("open", "high", "low", "close"), price),
        **dict.fromkeys(("volume", "quote_volume", "taker_buy_volume"), nothing),
        "trades": 0 if stands else None,
        "complete": False,
        "revision": 0,
        "simulated": answer.instrument.simulated,
    }
    return {name: known.get(name) for name in _RECORD}


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


def span_record(span: Span | None) -> SpanRecord | None:
    """A span as JSON."""
    return None if span is None else SpanRecord(rfc3339(span.start), rfc3339(span.end))


def stretch(gap: Labelled) -> Stretch:
    """A stretch of time as JSON."""
    return Stretch(rfc3339(gap.span.start), rfc3339(gap.span.end), gap.buckets, gap.state, gap.reason)
