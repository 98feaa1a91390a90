"""The alerts of the in-memory store; the same as the database's alerts and the trigger that writes them (migrations/).

Not safe for threads: MemoryStore holds the lock.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

from marketdata.model.alert import GAP_UNRECOVERABLE, Alert, AlertState, Severity
from marketdata.model.gap import Gap
from marketdata.model.times import rfc3339


class Outbox:
    """Alerts by id; of one dedup key at most one fires."""

    def __init__(self) -> None:
        self._alerts: dict[UUID, Alert] = {}

    def give_up(self, gap: Gap) -> None:
        """Alert of a gap that was just given up, unless that was said before."""
        assert gap.repaired_at is not None, "only a resolved gap is given up"
        key = _key_of(gap)
        if any(alert.dedup_key == key and alert.state is AlertState.FIRING for alert in self._alerts.values()):
            return
        start, buckets = rfc3339(gap.span.start), (gap.span.end - gap.span.start) // gap.timeframe.duration
        what = f"{buckets} buckets of {gap.timeframe} from {start}"
        alert = Alert(
            id=uuid4(),
            dedup_key=key,
            rule=GAP_UNRECOVERABLE,
            severity=Severity.ERROR,
            state=AlertState.FIRING,
            summary=f"{gap.exchange} {gap.symbol}: {what} cannot be recovered",
            created_at=gap.repaired_at,
            exchange=gap.exchange,
            symbol=gap.symbol,
            timeframe=gap.timeframe,
            context={
                "gap": gap.id,
                "start": start,
                "end": rfc3339(gap.span.end),
                "buckets": buckets,
                "cause": gap.cause,
                "attempts": gap.attempts,
                "reason": gap.reason,
            },
        )
        self._alerts[alert.id] = alert

    def forget_gaps(self, gaps: Iterable[Gap], now: datetime) -> None:
        """Resolve what was said of gaps that are no longer wanted."""
        keys = {_key_of(gap) for gap in gaps}
        for alert in list(self._alerts.values()):
            if alert.dedup_key in keys and alert.state is AlertState.FIRING:
                self._alerts[alert.id] = replace(alert, state=AlertState.RESOLVED, resolved_at=now)

    def select(self, states: Collection[AlertState] | None, limit: int) -> list[Alert]:
        """See Store.alerts."""
        chosen = [alert for alert in self._alerts.values() if states is None or alert.state in states]
        by_id = sorted(chosen, key=lambda alert: alert.id)
        return sorted(by_id, key=lambda alert: alert.created_at, reverse=True)[:limit]

    def prune(self, before: datetime, limit: int) -> int:
        """Forget at most `limit` of those that were resolved before."""
        ended = [(alert.resolved_at, alert.id) for alert in self._alerts.values() if alert.resolved_at]
        old = sorted(pair for pair in ended if pair[0] < before)[:limit]
        for _, id_ in old:
            del self._alerts[id_]
        return len(old)


def _key_of(gap: Gap) -> str:
    return f"{gap.exchange}:{gap.symbol}:{GAP_UNRECOVERABLE}:{gap.id}"
