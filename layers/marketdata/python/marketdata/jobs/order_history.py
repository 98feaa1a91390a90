"""Order the history of instruments that were just added: put the time before them on the ledger, once.

Runs at the beginning of every backfill, so that a first start needs nobody. One order is one gap of the ledger; the
mover works on it piece by piece, newest first, and only when nothing else is due.
"""

import logging
from collections.abc import Container
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import groupby

from marketdata.clock import Clock
from marketdata.model.gap import HISTORY as CAUSE
from marketdata.model.timeframe import M1
from marketdata.store.store import Store

logger = logging.getLogger(__name__)

HISTORY = timedelta(days=365)
SPANS_A_CALL = 10_000
"""What the store finds in one call: less means that there was no more."""


@dataclass(frozen=True, slots=True)
class Order:
    """What was ordered of one instrument."""

    exchange: str
    symbol: str
    minutes: int


def order_history(store: Store, clock: Clock, deadline: datetime, *, history: timedelta = HISTORY) -> dict[str, object]:
    """The order as a job, of every instrument. Raises: StoreError."""
    return {"ordered": [asdict(order) for order in order_missing(store, clock, deadline, history=history)]}


def order_missing(
    store: Store,
    clock: Clock,
    deadline: datetime,
    *,
    history: timedelta,
    exchanges: Container[str] | None = None,
) -> tuple[Order, ...]:
    """Order what was never asked for, as far back as `history`; only of `exchanges`, if given. Raises: StoreError.

    What is on the ledger is not found again, so that any number of runs, at once or after a crash, order once.
    """
    orders: list[Order] = []
    more = True
    while more:
        now = clock.now()
        found = store.find_history(now=now, history=history)
        mine = [pair for pair in found if exchanges is None or pair[0].exchange in exchanges]
        for instrument, pairs in groupby(mine, key=lambda pair: pair[0]):
            spans = [span for _, span in pairs]
            store.record_gaps(instrument, M1, spans, cause=CAUSE, found_at=now)
            minutes = sum((span.end - span.start) // M1.duration for span in spans)
            orders.append(Order(instrument.exchange, instrument.symbol, minutes))
            logger.info("history ordered", extra=asdict(orders[-1]) | {"since": spans[0].start.isoformat()})
        more = bool(mine) and len(found) == SPANS_A_CALL and clock.now() < deadline
    return tuple(orders)
