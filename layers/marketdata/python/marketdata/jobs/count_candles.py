"""Count candles without carrying one: what /v1/candles would give for the same question. Called by the api function."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime

import msgspec

from marketdata.errors import TooLarge
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.query_candles import instrument_of
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.times import rfc3339
from marketdata.serve.json_types import Instant
from marketdata.serve.params import CandleQuery
from marketdata.store.limits import COUNTED_MAX
from marketdata.store.store import Store

YEARS_MAX = 20


class CountRecord(msgspec.Struct, frozen=True):
    """`count` candles open in `[start, end)`, of the five sources; `no_trades` buckets are known to be empty."""

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


class CountMeta(msgspec.Struct, frozen=True):
    """`as_of` is when it was counted."""

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
    counted: Counter[str] = Counter()
    for year in _years(start, end) if start is not None else ():
        for day in store.count_candles(instrument, query.timeframe, year):
            counted.update({name: number for name, number in asdict(day).items() if name != "day"})
    empty = counted.pop("empty", 0)
    record = CountRecord(
        exchange=instrument.exchange,
        symbol=instrument.symbol,
        timeframe=query.timeframe.name,
        start=rfc3339(start) if start else None,
        end=rfc3339(end),
        count=counted.total(),
        no_trades=empty,
        **{name: counted[name] for name in ("partial", "live", "venue", "proven", "manual")},
    )
    return msgspec.json.encode(Count(record, CountMeta(rfc3339(as_of), instrument.simulated))).decode()


def _oldest(store: Store, instrument: Instrument, query: CandleQuery) -> datetime | None:
    found = store.candles(instrument, query.timeframe, start=None, end=query.end, limit=1)
    return found[0].open_time if found else None


def _years(start: datetime, end: datetime) -> Iterator[Span]:
    """The span in parts that one question may count. Raises: TooLarge."""
    if end - start > YEARS_MAX * COUNTED_MAX:
        raise TooLarge("start", f"must be at most {YEARS_MAX} years before the end")
    while start < end:
        after = end if end - start <= COUNTED_MAX else start + COUNTED_MAX
        yield Span(start, after)
        start = after
