"""Answer questions for ticks, and for their history as candles with a moving average. Called by the api function."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from marketdata.clock import Clock
from marketdata.compute.indicators import moving_averages
from marketdata.errors import RequestInvalid
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.times import EPOCH, utc
from marketdata.model.trade import Trade
from marketdata.serve.condition import SETTLING
from marketdata.serve.cursor import Cursors
from marketdata.serve.tick_params import HistoryQuery, TickQuery
from marketdata.serve.ticks_json import history_body, ticks_body
from marketdata.store.limits import ROWS_MAX
from marketdata.store.store import Store

AVERAGED = 10
_MICROSECOND = timedelta(microseconds=1)
_ALWAYS = Span(EPOCH, datetime(9999, 12, 31, tzinfo=UTC))


def query_ticks(store: Store, instruments: KnownInstruments, cursors: Cursors, clock: Clock, query: TickQuery) -> str:
    """One page of ticks as JSON; a null `next_cursor` means that there is no more.

    A page ends between two moments, never inside one, so that it may be a little shorter or longer than the limit.
    Raises: RequestInvalid, StoreError.
    """
    as_of = clock.now()
    instrument = instruments.find(query.symbol, query.exchange)
    question = query.question(instrument)
    remaining = _after_cursor(query, cursors, question)
    ticks, more = _page(store, instrument, remaining) if remaining is not None else ([], False)
    last = utc(ticks[-1].time_ns) if more else None
    next_cursor = cursors.issue(question, last) if last is not None else None
    return ticks_body(ticks, instrument, query.number, next_cursor, as_of)


def _after_cursor(query: TickQuery, cursors: Cursors, question: str) -> TickQuery | None:
    """What is left of the question after the pages before; None if nothing is."""
    if query.cursor is not None:
        last = cursors.read(question, query.cursor)
        query = replace(query, end=last) if query.newest_first else replace(query, start=last + _MICROSECOND)
    return None if query.start is not None and query.end is not None and query.start >= query.end else query


def _page(store: Store, instrument: Instrument, query: TickQuery) -> tuple[list[Trade], bool]:
    """The ticks of whole moments that the limit holds, at least one moment, and whether there are more."""
    span = Span(query.start or _ALWAYS.start, query.end or _ALWAYS.end)
    found = store.trades(instrument, span, limit=query.limit + 1, newest_first=query.newest_first)
    if len(found) <= query.limit:
        return found, False
    whole = [tick for tick in found if tick.time_ns != found[-1].time_ns]
    return (whole, True) if whole else (_moment(store, instrument, found[0].time_ns), True)


def _moment(store: Store, instrument: Instrument, time_ns: int) -> list[Trade]:
    """All the ticks of one moment. Raises: RequestInvalid for more than one question may ask for."""
    start = utc(time_ns)
    found = store.trades(instrument, Span(start, start + _MICROSECOND), limit=ROWS_MAX)
    if len(found) == ROWS_MAX:
        raise RequestInvalid("start", f"{start.isoformat()} has more than {ROWS_MAX:,} ticks")
    return found


def query_history(store: Store, instruments: KnownInstruments, clock: Clock, query: HistoryQuery) -> str:
    """The newest candles with the mean of ten closes, oldest first, as JSON. Raises: RequestInvalid, StoreError."""
    as_of = clock.now()
    instrument = instruments.find(query.symbol, query.exchange)
    if query.timeframe not in instrument.timeframes:
        kept = tuple(f"ohlc{timeframe.name}" for timeframe in instrument.timeframes)
        raise RequestInvalid("view", f"is not kept of {instrument.symbol}; there are {', '.join(kept)}", kept)
    page = store.read_candles(
        instrument,
        query.timeframe,
        start=None,
        end=None,
        limit=query.limit + AVERAGED - 1,
        settled=as_of - SETTLING,
        newest_first=True,
    )
    oldest_first = page.candles[::-1]
    averages = moving_averages(oldest_first, AVERAGED, page.empty)
    shown = slice(max(0, len(oldest_first) - query.limit), None)
    return history_body(oldest_first[shown], averages[shown], instrument, query.number, as_of)
