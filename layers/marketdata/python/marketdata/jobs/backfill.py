"""Fill the gaps of every exchange that can be asked for its past. Runs every minute, and by `marketdata backfill`.

As a job it first orders the history of instruments that were just added, so that a first start needs nobody.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from random import Random

from marketdata.clock import Clock, Pause
from marketdata.jobs.exchange_past import ExchangePast
from marketdata.jobs.fill_gaps import fill_gaps
from marketdata.jobs.fill_result import FillResult
from marketdata.jobs.fill_settings import FillSettings
from marketdata.jobs.order_history import HISTORY, order_missing
from marketdata.store.store import Store

OpenPast = Callable[[str], AbstractContextManager[ExchangePast] | None]
"""How to ask the exchange of that name for as long as the context lasts; None if it cannot be asked."""


def backfill(
    store: Store,
    clock: Clock,
    deadline: datetime,
    *,
    open_past: OpenPast = lambda _: None,
    settings: FillSettings | None = None,
    history: timedelta = HISTORY,
    random_source: Random | None = None,
    pause: Pause = time.sleep,
) -> dict[str, object]:
    """Order what history was never asked for, and fill what is due until `deadline`; the result counts what was done.

    Raises: StoreError.
    """
    with _opened(store, open_past) as pasts:
        orders = order_missing(store, clock, deadline, history=history, exchanges=pasts)
        result = _fill(store, pasts, clock, deadline, settings=settings, random_source=random_source, pause=pause)
    return {"ordered": [asdict(order) for order in orders], **result.document()}


def run_backfill(
    store: Store,
    clock: Clock,
    deadline: datetime,
    *,
    open_past: OpenPast,
    settings: FillSettings | None = None,
    on_gap: Callable[[FillResult], object] | None = None,
) -> FillResult:
    """Fill what is due, for a caller that wants the counts themselves, and as they grow."""
    with _opened(store, open_past) as pasts:
        return _fill(store, pasts, clock, deadline, settings=settings, on_gap=on_gap)


def _fill(
    store: Store,
    pasts: Mapping[str, ExchangePast],
    clock: Clock,
    deadline: datetime,
    *,
    settings: FillSettings | None,
    random_source: Random | None = None,
    on_gap: Callable[[FillResult], object] | None = None,
    pause: Pause = time.sleep,
) -> FillResult:
    # No two runs are the same worker: a lease is told by it.
    worker = f"backfill-{secrets.token_hex(6)}"
    return fill_gaps(
        store,
        pasts,
        clock,
        worker=worker,
        deadline=deadline,
        settings=settings,
        random_source=random_source,
        on_gap=on_gap,
        pause=pause,
    )


@contextmanager
def _opened(store: Store, open_past: OpenPast) -> Iterator[dict[str, ExchangePast]]:
    """Every exchange of the store that can be asked, by name."""
    with ExitStack() as opened:
        pasts = {}
        for name in sorted({instrument.exchange for instrument in store.instruments()}):
            past = open_past(name)
            if past is not None:
                pasts[name] = opened.enter_context(past)
        yield pasts
