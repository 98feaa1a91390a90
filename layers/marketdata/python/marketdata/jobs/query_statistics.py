"""Answer a question for statistics. Called by the api function and by `marketdata roi`."""

from dataclasses import dataclass
from typing import Generic

from marketdata.clock import Clock
from marketdata.errors import RequestInvalid
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.model.instrument import Instrument
from marketdata.model.statistics import MarketComparison
from marketdata.serve.cursor import Cursors
from marketdata.serve.statistics_json import statistics_body
from marketdata.serve.statistics_params import StatisticsQuery
from marketdata.store.statistics import Kind, StatisticsQuestion
from marketdata.store.store import Store


@dataclass(frozen=True, slots=True)
class StatisticsPage(Generic[Kind]):
    """Rows, newest written first. `next_cursor` continues after them; None if there are no more."""

    rows: tuple[Kind, ...]
    next_cursor: str | None


def query_statistics(
    store: Store,
    instruments: KnownInstruments,
    cursors: Cursors,
    clock: Clock,
    query: StatisticsQuery,
    *,
    kind: type[Kind],
) -> str:
    """One page of rows of `kind` as JSON. Raises: RequestInvalid, StoreError."""
    page = find_statistics(store, instruments, cursors, kind, query)
    simulated = frozenset(one.key for one in instruments.all() if one.simulated)
    return statistics_body(page.rows, simulated, page.next_cursor, clock.now(), query.number)


def find_statistics(
    store: Store, instruments: KnownInstruments, cursors: Cursors, kind: type[Kind], query: StatisticsQuery
) -> StatisticsPage[Kind]:
    """One page of rows of `kind`. Raises: RequestInvalid, StoreError."""
    markets = _markets(instruments, query)
    question = query.question(kind.__name__, [one.key for one in markets] if markets is not None else None)
    rows = store.statistics(
        kind,
        StatisticsQuestion(
            instruments=markets,
            within=kind is MarketComparison and (query.other is not None or query.symbol is None),
            period=query.window,
            start=query.start,
            end=query.end,
            latest=query.latest,
            limit=query.limit,
            before_id=cursors.read_after(question, query.cursor) if query.cursor is not None else None,
        ),
    )
    more = len(rows) == query.limit
    return StatisticsPage(tuple(rows), cursors.issue_after(question, rows[-1].id) if more else None)


def _markets(instruments: KnownInstruments, query: StatisticsQuery) -> tuple[Instrument, ...] | None:
    """Whom the question is about; None for everybody."""
    if query.symbol is not None:
        first = instruments.find(query.symbol, query.exchange)
        return (first,) if query.other is None else (first, _other(instruments, first, query.other))
    if query.exchange is None:
        return None
    exchange = instruments.exchange(query.exchange)
    return tuple(one for one in instruments.all() if one.exchange == exchange)


def _other(instruments: KnownInstruments, first: Instrument, named: str) -> Instrument:
    """`exchange:symbol`, or a symbol of the first one's exchange."""
    exchange, colon, symbol = named.partition(":")
    other = instruments.find(symbol, exchange) if colon else instruments.find(named, first.exchange)
    if other.key == first.key:
        raise RequestInvalid("with", "must be another market")
    return other
