"""Runs, alerts and budgets in the Supabase store: the arguments and answers of the database's functions for them."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from marketdata.model.alert import Alert, AlertState
from marketdata.model.budget import ExchangeLimit, Turn
from marketdata.model.job_run import EVERYTHING, JobRun, RunState, Scope
from marketdata.store.limits import check_limit
from marketdata.store.patient_client import PatientClient
from marketdata.store.run_rows import RunRow, scope_arguments
from marketdata.store.wire import in_utc, time_text
from marketdata.store.work import Pruned


class SupabaseWork:
    """The part of the Store protocol that is about the work itself."""

    _client: PatientClient
    _hasty_client: PatientClient

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
        """See Store."""
        arguments = {
            "p_kind": kind,
            "p_worker": worker,
            "p_now": time_text(now),
            "p_lease_seconds": lease_seconds,
            "p_trigger": trigger,
            "p_scheduled_time": time_text(scheduled_time),
            "p_exclusive": exclusive,
            **scope_arguments(scope),
        }
        return self._client.call("start_run", "start_run_v1", arguments, RunRow).run

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
        """See Store."""
        sent = {
            "p_kind": kind,
            "p_name": order,
            "p_now": time_text(now),
            "p_wait_seconds": wait_seconds,
            "p_trigger": trigger,
            "p_arguments": dict(arguments),
            "p_waiting_max": waiting_max,
        }
        return next((row.run for row in self._client.call("order_run", "order_run_v1", sent, list[RunRow])), None)

    def claim_run(
        self, worker: str, *, now: datetime, lease_seconds: float, exclusive_kinds: Collection[str]
    ) -> JobRun | None:
        """See Store. An answer that was lost on the way leaves a run that nobody does, until its lease ends."""
        sent = {
            "p_worker": worker,
            "p_now": time_text(now),
            "p_lease_seconds": lease_seconds,
            "p_exclusive_kinds": sorted(exclusive_kinds),
        }
        return next((row.run for row in self._client.call("claim_run", "claim_run_v1", sent, list[RunRow])), None)

    def renew_run(self, run: JobRun, *, now: datetime, lease_seconds: float) -> bool:
        """See Store."""
        arguments = {**_held(run, now), "p_lease_seconds": lease_seconds}
        return self._client.call("renew_run", "renew_run_v1", arguments, bool)

    def finish_run(
        self, run: JobRun, *, now: datetime, state: RunState, result: Mapping[str, Any], error: str = ""
    ) -> bool:
        """See Store."""
        arguments = {**_held(run, now), "p_state": state, "p_result": dict(result), "p_error": error}
        return self._client.call("finish_run", "finish_run_v1", arguments, bool)

    def runs(
        self,
        *,
        now: datetime,
        kind: str | None = None,
        states: Collection[RunState] | None = None,
        limit: int,
        before_id: int | None = None,
    ) -> list[JobRun]:
        """See Store."""
        check_limit(limit)
        arguments = {
            "p_now": time_text(now),
            "p_kind": kind,
            "p_states": None if states is None else sorted(states),
            "p_before_id": before_id,
            "p_limit": limit,
        }
        return [row.run for row in self._client.call("runs", "get_runs_v1", arguments, list[RunRow])]

    def alerts(self, *, states: Collection[AlertState] | None = None, limit: int) -> list[Alert]:
        """See Store."""
        from marketdata.store.alert_rows import AlertRow  # noqa: PLC0415

        check_limit(limit)
        arguments = {"p_states": None if states is None else sorted(states), "p_limit": limit}
        return [row.alert for row in self._client.call("alerts", "get_alerts_v1", arguments, list[AlertRow])]

    def take_requests(
        self, exchange: str, *, per_second: float, burst: int, count: int = 1, wait_seconds_max: float = 30.0
    ) -> Turn:
        """See Store. Asked once and not for long: whoever waits for a turn has a share of its own."""
        arguments = {
            "p_exchange": exchange,
            "p_per_second": per_second,
            "p_burst": burst,
            "p_count": count,
            "p_wait_seconds_max": wait_seconds_max,
        }
        return self._hasty_client.call("take_requests", "take_requests_v1", arguments, Turn)

    def block_exchange(self, exchange: str, *, seconds: float, reason: str) -> None:
        """See Store."""
        arguments = {"p_exchange": exchange, "p_seconds": seconds, "p_reason": reason}
        self._hasty_client.call("block_exchange", "block_exchange_v1", arguments, object)

    def limited_exchanges(self) -> list[ExchangeLimit]:
        """See Store."""
        limits = self._client.call("limited_exchanges", "get_limits_v1", {}, list[ExchangeLimit])
        return [replace(one, blocked_until=in_utc(one.blocked_until)) for one in limits]

    def prune(
        self,
        *,
        now: datetime,
        wanted_since: datetime,
        gaps_before: datetime,
        runs_before: datetime,
        alerts_before: datetime,
    ) -> Pruned:
        """See Store. An answer that was lost on the way is asked for again; then the counts are of the second time."""
        arguments = {
            "p_now": time_text(now),
            "p_wanted_since": time_text(wanted_since),
            "p_gaps_before": time_text(gaps_before),
            "p_runs_before": time_text(runs_before),
            "p_alerts_before": time_text(alerts_before),
        }
        return self._client.call("prune", "prune_v1", arguments, Pruned)


def _held(run: JobRun, now: datetime) -> dict[str, object]:
    """What proves to the database that a run is one's own."""
    return {"p_id": run.id, "p_worker": run.worker, "p_now": time_text(now)}
