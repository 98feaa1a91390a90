"""Runs, alerts and budgets in the in-memory store, beside the ledger whose gaps alerts are about."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from marketdata.clock import Clock, SystemClock
from marketdata.errors import EXCERPT_CHARACTERS_MAX
from marketdata.model.alert import Alert, AlertState
from marketdata.model.budget import ExchangeLimit, Turn
from marketdata.model.gap import GapState
from marketdata.model.job_run import EVERYTHING, JobRun, RunState, Scope
from marketdata.model.times import EPOCH
from marketdata.store.budget_book import BudgetBook
from marketdata.store.limits import (
    ROWS_MAX,
    block_refused,
    check_limit,
    finish_refused,
    lease_refused,
    take_refused,
)
from marketdata.store.memory_base import refuse
from marketdata.store.memory_ledger import MemoryLedger
from marketdata.store.run_book import RunBook
from marketdata.store.work import Pruned


class MemoryWork(MemoryLedger):
    """The part of the Store protocol that is about the work itself."""

    def __init__(self, clock: Clock | None) -> None:
        super().__init__(clock)
        self._own_clock = clock or SystemClock()
        self._runs = RunBook()
        self._budgets = BudgetBook()

    def start_run(
        self,
        kind: str,
        *,
        worker: str,
        now: datetime,
        lease_seconds: float,
        trigger: str,
        scheduled_time: datetime | None = None,
        scope: Scope = EVERYTHING,
        exclusive: bool = False,
    ) -> JobRun:
        """See Store. Raises: StoreError without a worker, kind or lease."""
        refuse("start_run", [lease_refused(kind, lease_seconds), lease_refused(worker, lease_seconds)])
        with self._lock:
            self._runs.lose(now)
            lease_until = now + timedelta(seconds=lease_seconds)
            begun = JobRun(0, kind, worker, trigger, RunState.RUNNING, now, lease_until, scheduled_time, scope)
            return self._runs.start(begun, exclusive)

    def order_run(
        self,
        kind: str,
        *,
        order: str,
        now: datetime,
        wait_seconds: float,
        trigger: str,
        arguments: Mapping[str, Any],
        waiting_max: int,
    ) -> JobRun | None:
        """See Store. Raises: StoreError without a kind, a name or a time."""
        refuse("order_run", [lease_refused(kind, wait_seconds), lease_refused(order, wait_seconds)])
        with self._lock:
            wanted_until = now + timedelta(seconds=wait_seconds)
            queued = JobRun(0, kind, order, trigger, RunState.QUEUED, now, wanted_until, arguments=dict(arguments))
            return self._runs.order(queued, waiting_max)

    def claim_run(
        self, worker: str, *, now: datetime, lease_seconds: float, exclusive_kinds: Collection[str]
    ) -> JobRun | None:
        """See Store. Raises: StoreError without a worker or lease."""
        refuse("claim_run", [lease_refused(worker, lease_seconds)])
        with self._lock:
            self._runs.lose(now)
            return self._runs.claim(worker, now, timedelta(seconds=lease_seconds), exclusive_kinds)

    def renew_run(self, run: JobRun, *, now: datetime, lease_seconds: float) -> bool:
        """See Store. Raises: StoreError without a lease."""
        refuse("renew_run", [lease_refused(run.worker, lease_seconds)])
        with self._lock:
            return self._runs.renew(run, now, timedelta(seconds=lease_seconds))

    def finish_run(
        self, run: JobRun, *, now: datetime, state: RunState, result: Mapping[str, Any], error: str = ""
    ) -> bool:
        """See Store. Raises: StoreError for a state that ends nothing, or a result that is too long."""
        refuse("finish_run", [finish_refused(state, result)])
        with self._lock:
            return self._runs.finish(run, now, state, result, error)

    def runs(
        self,
        *,
        now: datetime,
        kind: str | None = None,
        states: Collection[RunState] | None = None,
        limit: int,
        before_id: int | None = None,
    ) -> list[JobRun]:
        """See Store. Raises: RequestInvalid for a limit out of bounds."""
        check_limit(limit)
        with self._lock:
            return self._runs.select(now, kind, states, limit, before_id)

    def alerts(self, *, states: Collection[AlertState] | None = None, limit: int) -> list[Alert]:
        """See Store. Raises: RequestInvalid for a limit out of bounds."""
        check_limit(limit)
        with self._lock:
            return self._outbox.select(states, limit)

    def take_requests(
        self, exchange: str, *, per_second: float, burst: int, count: int = 1, wait_seconds_max: float = 30.0
    ) -> Turn:
        """See Store. Raises: StoreError for a pace or count that is none."""
        refuse("take_requests", [take_refused(per_second, burst, count)])
        with self._lock:
            return self._budgets.take(
                exchange,
                self._seconds(),
                per_second=per_second,
                burst=burst,
                count=count,
                wait_seconds_max=wait_seconds_max,
            )

    def block_exchange(self, exchange: str, *, seconds: float, reason: str) -> None:
        """See Store. Raises: StoreError for a silence without bounds."""
        refuse("block_exchange", [block_refused(seconds)])
        with self._lock:
            self._budgets.block(exchange, self._seconds() + seconds, reason[:EXCERPT_CHARACTERS_MAX])

    def limited_exchanges(self) -> list[ExchangeLimit]:
        """See Store."""
        with self._lock:
            blocked = self._budgets.blocked(self._seconds())
        return [ExchangeLimit(name, EPOCH + timedelta(seconds=until), reason) for name, until, reason in blocked]

    def prune(
        self,
        *,
        now: datetime,
        wanted_since: datetime,
        gaps_before: datetime,
        runs_before: datetime,
        alerts_before: datetime,
    ) -> Pruned:
        """See Store."""
        with self._lock:
            gaps = self._ledger.prune(gaps_before, wanted_since, ROWS_MAX)
            self._outbox.forget_gaps((gap for gap in gaps if gap.state is GapState.UNRECOVERABLE), now)
            runs = self._runs.prune(runs_before, ROWS_MAX)
            return Pruned(len(gaps), runs, self._outbox.prune(alerts_before, ROWS_MAX))

    def _seconds(self) -> float:
        """The store's own time, which budgets count in."""
        return (self._own_clock.now() - EPOCH).total_seconds()
