"""Fill the gaps of every exchange that can be asked for its past. Runs every minute, and by `marketdata backfill`."""

import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime
from random import Random

from marketdata.clock import Clock
from marketdata.jobs.exchange_past import ExchangePast
from marketdata.jobs.fill_gaps import FillResult, FillSettings, fill_gaps
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
    random_source: Random | None = None,
) -> dict[str, object]:
    """Fill what is due until `deadline`; the result counts what was done. Raises: StoreError."""
    return run_backfill(
        store, clock, deadline, open_past=open_past, settings=settings, random_source=random_source
    ).document()


def run_backfill(
    store: Store,
    clock: Clock,
    deadline: datetime,
    *,
    open_past: OpenPast,
    settings: FillSettings | None = None,
    random_source: Random | None = None,
    on_gap: Callable[[FillResult], object] | None = None,
) -> FillResult:
    """The same for a caller that wants the counts themselves, and as they grow."""
    with ExitStack() as opened:
        pasts = {}
        for name in sorted({instrument.exchange for instrument in store.instruments()}):
            past = open_past(name)
            if past is not None:
                pasts[name] = opened.enter_context(past)
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
        )
