"""The alerts of the in-memory store; the same as the database's alerts and the trigger that writes them (migrations/).

Not safe for threads: MemoryStore holds the lock.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from itertools import count
from uuid import UUID, uuid4

from marketdata.model.alert import GAP_UNRECOVERABLE, Alert, AlertState, Severity
from marketdata.model.gap import Gap
from marketdata.model.times import rfc3339
from marketdata.store.alerts import AlertChanges, AlertQuestion
from marketdata.store.news_book import NewsBook


class Outbox:
    """Alerts by id; of one dedup key at most one fires."""

    def __init__(self) -> None:
        self._alerts: dict[UUID, Alert] = {}
        self._numbers = count(1)
        self.news = NewsBook[UUID]()
        """Alerts in the order in which they fired, flapped or ended last."""

    def give_up(self, gap: Gap) -> None:
        """Alert of a gap that was just given up, unless that was said before."""
        assert gap.repaired_at is not None, "only a resolved gap is given up"
        key = _key_of(gap)
        if self.fires(key):
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
        self.add(alert)

    def forget_gaps(self, gaps: Iterable[Gap], now: datetime) -> None:
        """Resolve what was said of gaps that are no longer wanted."""
        keys = {_key_of(gap) for gap in gaps}
        for alert in list(self._alerts.values()):
            if alert.dedup_key in keys and alert.state is AlertState.FIRING:
                self._put(replace(alert, state=AlertState.RESOLVED, resolved_at=now))

    def add(self, alert: Alert) -> None:
        """Write an alert that is new."""
        self._put(replace(alert, number=next(self._numbers)))

    def get(self, alert_id: UUID) -> Alert:
        """The alert of that id, which is there."""
        return self._alerts[alert_id]

    def fires(self, dedup_key: str) -> bool:
        """Whether one of that key does."""
        return any(one.dedup_key == dedup_key and one.state is AlertState.FIRING for one in self._alerts.values())

    def change(self, changes: AlertChanges, now: datetime) -> None:
        """Write what an evaluation decided about alerts."""
        for alert in changes.fired:
            self.add(alert)
        for ended in changes.resolved:
            alert = self._alerts[ended.id]
            if alert.state is AlertState.FIRING:
                self._put(replace(alert, state=AlertState.RESOLVED, resolved_at=ended.at))
        for flapped in changes.flapped:
            self._put(replace(self._alerts[flapped.id], flapping=flapped.flapping))
        for alert_id, told in changes.told:
            if alert_id in self._alerts:
                self._alerts[alert_id] = replace(self._alerts[alert_id], told=told, told_at=now)

    def desk(self, lagging_max: int) -> tuple[Alert, ...]:
        """Those that fire, but for given-up gaps, and the oldest of those of which something else was told."""
        by_number = sorted(self._alerts.values(), key=lambda alert: alert.number)
        lagging = [alert for alert in by_number if alert.lags][:lagging_max]
        firing = [one for one in by_number if one.state is AlertState.FIRING and one.rule != GAP_UNRECOVERABLE]
        return tuple(sorted({one.id: one for one in [*lagging, *firing]}.values(), key=lambda alert: alert.number))

    def find(self, question: AlertQuestion) -> list[Alert]:
        """See Store.find_alerts."""
        wanted = (
            ("rule", question.rule),
            ("exchange", question.exchange),
            ("symbol", question.symbol),
        )
        found = [
            one
            for one in self._alerts.values()
            if (question.states is None or one.state in question.states)
            and (question.severities is None or one.severity in question.severities)
            and (question.before is None or one.number < question.before)
            and all(asked is None or getattr(one, name) == asked for name, asked in wanted)
        ]
        return sorted(found, key=lambda alert: alert.number, reverse=True)[: question.limit]

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
            self.news.forget(id_)
        return len(old)

    def _put(self, alert: Alert) -> None:
        """Add an alert, or let it be what it has become."""
        old = self._alerts.get(alert.id)
        self._alerts[alert.id] = alert
        if old is None or (old.state, old.flapping) != (alert.state, alert.flapping):
            self.news.note(alert.id)


def _key_of(gap: Gap) -> str:
    return f"{gap.exchange}:{gap.symbol}:{GAP_UNRECOVERABLE}:{gap.id}"
