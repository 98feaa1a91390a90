"""Forget what ended long ago: resolved gaps, runs of jobs, resolved alerts. Part of the gap scan."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from marketdata.store.work import Pruned, WorkStore


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what has ended is kept."""

    gaps: timedelta = timedelta(days=400)
    runs: timedelta = timedelta(days=30)
    alerts: timedelta = timedelta(days=400)


def forget_old(store: WorkStore, now: datetime, history: timedelta, retention: Retention) -> Pruned:
    """Forget at most 10,000 rows of each kind. Raises: StoreError.

    A gap inside the wanted `history` is kept however old it is: one that is unrecoverable would be found and asked for
    again.
    """
    return store.prune(
        now=now,
        wanted_since=now - history,
        gaps_before=now - retention.gaps,
        runs_before=now - retention.runs,
        alerts_before=now - retention.alerts,
    )
