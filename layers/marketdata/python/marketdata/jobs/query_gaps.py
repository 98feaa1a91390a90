"""Answer a question for gaps on the ledger. Called by the api function and by `marketdata gaps list`."""

from dataclasses import dataclass

from marketdata.clock import Clock
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.model.gap import Gap
from marketdata.serve.cursor import Cursors
from marketdata.serve.gaps_json import gaps_body
from marketdata.serve.params import GapQuery
from marketdata.store.store import Store

GAPS_A_READ = 1_000
READS_MAX = 10
"""A page of one exchange's gaps is picked from everybody's; after so many reads it is answered as far as it got."""


@dataclass(frozen=True, slots=True)
class GapPage:
    """Gaps by number. `next_cursor` continues after them; None if there are no more."""

    gaps: tuple[Gap, ...]
    next_cursor: str | None


def query_gaps(store: Store, instruments: KnownInstruments, cursors: Cursors, clock: Clock, query: GapQuery) -> str:
    """One page of gaps as JSON. Raises: RequestInvalid, StoreError."""
    page = find_gap_page(store, instruments, cursors, query)
    simulated = frozenset(one.key for one in instruments.all() if one.simulated)
    return gaps_body(page.gaps, simulated, page.next_cursor, clock.now())


def find_gap_page(store: Store, instruments: KnownInstruments, cursors: Cursors, query: GapQuery) -> GapPage:
    """One page of gaps. Raises: RequestInvalid, StoreError."""
    exchange = instruments.exchange(query.exchange) if query.exchange is not None else None
    instrument = instruments.find(query.symbol, exchange) if query.symbol is not None else None
    question = query.question(instrument, exchange)
    after = cursors.read_after(question, query.cursor) if query.cursor is not None else None
    if instrument is None and exchange is not None:
        gaps, last = _of_exchange(store, query, exchange, after)
    else:
        gaps = store.gaps(states=query.states, instrument=instrument, limit=query.limit, after_id=after)
        last = gaps[-1].id if len(gaps) == query.limit else None
    return GapPage(tuple(gaps), cursors.issue_after(question, last) if last is not None else None)


def _of_exchange(store: Store, query: GapQuery, exchange: str, after: int | None) -> tuple[list[Gap], int | None]:
    """The gaps of one exchange, and the number of the last gap that was looked at if there may be more."""
    picked: list[Gap] = []
    for _ in range(READS_MAX):
        found = store.gaps(states=query.states, limit=GAPS_A_READ, after_id=after)
        for gap in found:
            after = gap.id
            if gap.exchange == exchange:
                picked.append(gap)
            if len(picked) == query.limit:
                return picked, after
        if len(found) < GAPS_A_READ:
            return picked, None
    return picked, after
