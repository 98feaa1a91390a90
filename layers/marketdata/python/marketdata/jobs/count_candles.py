"""Count candles without carrying one: what /v1/candles would give for the same question, and what is missing there.

Called by the api function.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime

import msgspec

from marketdata.errors import TooLarge
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.query_candles import instrument_of
from marketdata.jobs.walk_candles import Completeness, completeness_of
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe
from marketdata.model.times import rfc3339
from marketdata.serve.candles_json import SpanRecord, Stretch, span_record, stretch
from marketdata.serve.condition import AVAILABLE, DEGRADED, LISTED_MAX, unjudged
from marketdata.serve.json_types import Instant
from marketdata.serve.labelled import MISSING
from marketdata.serve.params import CandleQuery
from marketdata.store.limits import COUNTED_MAX
from marketdata.store.store import Store

YEARS_MAX = 20
_UNPROVEN = ("partial", "live", "venue")


class CountRecord(msgspec.Struct, frozen=True):
    """`count` candles open in `[start, end)`, of the five sources; `no_trades` buckets are known to be empty.

    `unproven` are of a source below proven. Of the `expected` buckets of `meta.span` `missing` are neither held whole
    nor known to be empty: those held in part are among them.
    """

    exchange: str
    symbol: str
    timeframe: str
    start: Instant | None
    end: Instant
    count: int
    partial: int
    live: int
    venue: int
    proven: int
    manual: int
    no_trades: int
    unproven: int
    expected: int
    missing: int


class CountMeta(msgspec.Struct, frozen=True):
    """As in /v1/candles, for all of the question: see serve/condition.py. `as_of` is when it was counted.

    `gaps` are the stretches of what is missing, the first hundred of `gaps_total`; `truncated` if there are more.
    """

    condition: str
    coverage: float | None
    span: SpanRecord | None
    gaps: list[Stretch]
    gaps_total: int
    truncated: bool
    as_of: Instant
    simulated: bool


class Count(msgspec.Struct, frozen=True):
    """The whole answer."""

    data: CountRecord
    meta: CountMeta


def count_candles(store: Store, instruments: KnownInstruments, as_of: datetime, query: CandleQuery) -> str:
    """The count as JSON; without a start from the oldest candle on, without an end up to now.

    Raises: RequestInvalid, TooLarge for more than twenty years of a named start, StoreError.
    """
    instrument = instrument_of(instruments, query)
    start = query.start or _oldest(store, instrument, query)
    end = query.end or as_of
    asked = Span(start, end) if start is not None and start < end else None
    found = _completeness(store, instrument, query.timeframe, asked, as_of)
    # What has not settled is counted, and not judged.
    settled, open_still = _divided(asked, found.span)
    judged = _counted(store, instrument, query.timeframe, settled)
    counted = judged + _counted(store, instrument, query.timeframe, open_still)
    record = CountRecord(
        exchange=instrument.exchange,
        symbol=instrument.symbol,
        timeframe=query.timeframe.name,
        start=rfc3339(start) if start else None,
        end=rfc3339(end),
        count=counted.total() - counted["empty"],
        no_trades=counted["empty"],
        unproven=sum(counted[name] for name in _UNPROVEN),
        expected=found.expected,
        missing=found.missing,
        **{name: counted[name] for name in (*_UNPROVEN, "proven", "manual")},
    )
    condition = _condition(found, judged, anything_held=counted.total() > 0)
    return msgspec.json.encode(Count(record, _meta(found, condition, instrument, as_of))).decode()


def _oldest(store: Store, instrument: Instrument, query: CandleQuery) -> datetime | None:
    found = store.candles(instrument, query.timeframe, start=None, end=query.end, limit=1)
    return found[0].open_time if found else None


def _completeness(
    store: Store, instrument: Instrument, timeframe: Timeframe, asked: Span | None, as_of: datetime
) -> Completeness:
    """Raises: TooLarge."""
    if asked is None:
        return Completeness(AVAILABLE, None, (), 0)
    if asked.end - asked.start > YEARS_MAX * COUNTED_MAX:
        raise TooLarge("start", f"must be at most {YEARS_MAX} years before the end")
    return completeness_of(store, instrument, timeframe, asked, as_of)


def _divided(asked: Span | None, judged: Span | None) -> tuple[Span | None, Span | None]:
    """The part of `asked` whose buckets are judged, and the rest; the last judged bucket may end after it."""
    if asked is None or judged is None:
        return None, asked
    edge = min(judged.end, asked.end)
    return Span(asked.start, edge), Span(edge, asked.end) if edge < asked.end else None


def _counted(store: Store, instrument: Instrument, timeframe: Timeframe, span: Span | None) -> Counter[str]:
    """The buckets that open in `span` and are held, by source, or known to be empty."""
    counted: Counter[str] = Counter()
    for year in _years(span) if span is not None else ():
        for day in store.count_candles(instrument, timeframe, year):
            counted.update({name: number for name, number in asdict(day).items() if name != "day"})
    return counted


def _years(span: Span) -> Iterator[Span]:
    """The span in parts that one question may count."""
    start = span.start
    while start < span.end:
        after = span.end if span.end - start <= COUNTED_MAX else start + COUNTED_MAX
        yield Span(start, after)
        start = after


def _condition(found: Completeness, judged: Counter[str], *, anything_held: bool) -> str:
    """In the words of /v1/candles: what is held in part is not whole, but no gap either."""
    if found.span is None:
        return unjudged(anything_held).name
    if found.missing > judged["partial"]:
        return MISSING
    return DEGRADED if judged["partial"] else AVAILABLE


def _meta(found: Completeness, condition: str, instrument: Instrument, as_of: datetime) -> CountMeta:
    return CountMeta(
        condition=condition,
        coverage=found.coverage,
        span=span_record(found.span),
        gaps=[stretch(gap) for gap in found.gaps[:LISTED_MAX]],
        gaps_total=found.gaps_total,
        truncated=found.gaps_total > LISTED_MAX,
        as_of=rfc3339(as_of),
        simulated=instrument.simulated,
    )
