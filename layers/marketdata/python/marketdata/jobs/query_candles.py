"""Answer a question for candles, with what is known of their completeness. Called by the api function."""

from dataclasses import replace
from datetime import datetime

from marketdata.clock import Clock
from marketdata.errors import RequestInvalid
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.model.candle import Candle
from marketdata.model.instrument import Instrument
from marketdata.serve.candles_json import candles_body, encode_rows
from marketdata.serve.condition import SETTLING, Condition, Known, judge, judged_span, unjudged
from marketdata.serve.cursor import Cursors
from marketdata.serve.parameters import LIMIT_MAX
from marketdata.serve.params import CandleQuery
from marketdata.store.answers import CandlePage
from marketdata.store.store import Store


def query_candles(
    store: Store, instruments: KnownInstruments, cursors: Cursors, clock: Clock, query: CandleQuery
) -> str:
    """One page of candles as JSON; a null `next_cursor` means that there is no more.

    The condition speaks of the time that this page answers, so that the pages' gaps together are the question's.
    Raises: RequestInvalid, StoreError.
    """
    as_of = clock.now()
    instrument = _instrument(instruments, query)
    question = query.question(instrument)
    remaining = _after_cursor(query, cursors, question)
    found = _fetch(store, instrument, remaining, as_of)
    rows = encode_rows(found.candles[: query.limit], instrument.simulated, query.number)
    page = found.candles[: len(rows)]
    more = len(page) < len(found.candles) or len(page) == LIMIT_MAX
    condition = _condition(instrument, remaining, page, found, more=more, as_of=as_of)
    next_cursor = cursors.issue(question, page[-1].open_time) if more else None
    return candles_body(rows, next_cursor, condition, as_of, instrument.simulated)


def latest_candles(store: Store, instruments: KnownInstruments, clock: Clock, query: CandleQuery) -> str:
    """The newest `limit` candles as JSON, oldest first. Raises: RequestInvalid, StoreError."""
    as_of = clock.now()
    instrument = _instrument(instruments, query)
    found = _fetch(store, instrument, query, as_of)
    newest = encode_rows(found.candles[: query.limit], instrument.simulated, query.number)
    page = found.candles[: len(newest)]
    condition = _condition(instrument, query, page, found, more=True, as_of=as_of)
    return candles_body(newest[::-1], None, condition, as_of, instrument.simulated)


def _instrument(instruments: KnownInstruments, query: CandleQuery) -> Instrument:
    instrument = instruments.find(query.symbol, query.exchange)
    if query.timeframe not in instrument.timeframes:
        kept = tuple(timeframe.name for timeframe in instrument.timeframes)
        reason = f"{query.timeframe} is not kept of {instrument.symbol}; there are {', '.join(kept)}"
        raise RequestInvalid("timeframe", reason, kept)
    return instrument


def _after_cursor(query: CandleQuery, cursors: Cursors, question: str) -> CandleQuery:
    """What is left of the question after the pages before."""
    if query.cursor is None:
        return query
    last = cursors.read(question, query.cursor)
    if query.newest_first:
        return replace(query, end=last)
    return replace(query, start=last + query.timeframe.duration)


def _fetch(store: Store, instrument: Instrument, query: CandleQuery, as_of: datetime) -> CandlePage:
    """The page's candles, and one beyond it if there is one and the store may be asked for that many; one question."""
    if query.start is not None and query.end is not None and query.start >= query.end:
        return CandlePage([])
    return store.read_candles(
        instrument,
        query.timeframe,
        start=query.start,
        end=query.end,
        limit=min(query.limit + 1, LIMIT_MAX),
        settled=as_of - SETTLING,
        newest_first=query.newest_first,
    )


def _condition(
    instrument: Instrument, query: CandleQuery, page: list[Candle], found: CandlePage, *, more: bool, as_of: datetime
) -> Condition:
    """What is known of the time that this page answers."""
    start, end = _answered(query, page, more, as_of)
    judged = judged_span(start, end, query.timeframe, as_of) if start is not None else None
    if judged is None:
        return unjudged(anything_held=bool(page) or start is not None)
    known = Known(found.empty, found.lacking, found.lacking_total, found.named, found.named_cut)
    return judge(judged, query.timeframe, page, known, instrument.calendar)


def _answered(query: CandleQuery, page: list[Candle], more: bool, as_of: datetime) -> tuple[datetime | None, datetime]:
    """From where to where this page speaks; no start if none was asked for and nothing is held."""
    end = query.end or as_of
    if not page:
        return query.start, end
    if query.newest_first:
        return (page[-1].open_time if more or query.start is None else query.start), end
    return query.start or page[0].open_time, (page[-1].close_time if more else end)
