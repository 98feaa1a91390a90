"""What a store knows of the work itself: runs of jobs, alerts, and how much exchanges may be asked. Part of Store."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from marketdata.model.alert import Alert, AlertState
from marketdata.model.budget import ExchangeLimit, Turn
from marketdata.model.job_run import EVERYTHING, JobRun, RunState, Scope


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows were forgotten, at most 10,000 of each kind."""

    gaps: int
    runs: int
    alerts: int


class WorkStore(Protocol):
    """Runs, alerts, budgets, and the end of what is too old to be kept."""

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
        """Begin a run, or learn which other stands in the way: then the answer's worker is another.

        In the way stands a run of that kind and scheduled time that runs or has succeeded, and for an exclusive one
        any of that kind that runs. Runs whose lease has ended stand in nobody's way, and are lost from then on.
        Saying it again with the same worker is the same run.
        """
        ...

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
        """Queue a run for whoever claims it, for so long; None if so many wait. `order` names it as a worker would.

        Saying it again under the same name is the same run, as it is now.
        """
        ...

    def claim_run(
        self, worker: str, *, now: datetime, lease_seconds: float, exclusive_kinds: Collection[str]
    ) -> JobRun | None:
        """Begin the oldest run that is queued; None if nothing is. `worker` is told from every other by its name.

        One of the exclusive kinds waits while another of its kind runs. No two workers are ever given the same run.
        """
        ...

    def renew_run(self, run: JobRun, *, now: datetime, lease_seconds: float) -> bool:
        """Hold the lease for so long from `now`; False when it had ended: then nothing changed."""
        ...

    def finish_run(
        self, run: JobRun, *, now: datetime, state: RunState, result: Mapping[str, Any], error: str = ""
    ) -> bool:
        """End a run as succeeded or failed; False when its lease had ended: then nothing changed.

        Saying the same again is True and changes nothing.
        """
        ...

    def runs(
        self,
        *,
        now: datetime,
        kind: str | None = None,
        states: Collection[RunState] | None = None,
        limit: int,
        before_id: int | None = None,
    ) -> list[JobRun]:
        """At most `limit` runs with `id < before_id`, newest first; below `limit` means no more. At most 10,000.

        A run whose lease has ended by `now` is lost.
        """
        ...

    def alerts(self, *, states: Collection[AlertState] | None = None, limit: int) -> list[Alert]:
        """At most `limit` alerts, newest first; at most 10,000."""
        ...

    def take_requests(
        self, exchange: str, *, per_second: float, burst: int, count: int = 1, wait_seconds_max: float = 30.0
    ) -> Turn:
        """Reserve `count` requests of an exchange's budget, on the store's clock; everybody's come out of it.

        Answered soon or not at all. Nothing is reserved while the exchange is blocked, nor if the first would have to
        wait for longer than `wait_seconds_max`.
        """
        ...

    def block_exchange(self, exchange: str, *, seconds: float, reason: str) -> None:
        """The exchange asked for silence: nobody asks it for so long. A longer one that holds already stays."""
        ...

    def limited_exchanges(self) -> list[ExchangeLimit]:
        """The exchanges that are blocked now, by name."""
        ...

    def prune(
        self,
        *,
        now: datetime,
        wanted_since: datetime,
        gaps_before: datetime,
        runs_before: datetime,
        alerts_before: datetime,
    ) -> Pruned:
        """Forget what ended before these times: resolved gaps, finished and lost runs, resolved alerts.

        A gap that reaches beyond `wanted_since` is kept: a scan would find it again, or miss that it was wanted. An
        alert about history that is no longer wanted is resolved.
        """
        ...
