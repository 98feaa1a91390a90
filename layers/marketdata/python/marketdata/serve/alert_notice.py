"""What is told of alerts, before it takes the shape of a target: the notice that the outbox keeps. Pure.

A notice is plain JSON: `kind` (alerts, digest, heartbeat or test), `title`, `severity`, `timestamp`, and `alerts`, the
worst first, each with everything that docs/alerts.md lists. It never holds an address or a key.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from marketdata.model.alert import Alert, AlertState, Severity
from marketdata.model.alert_rule import MARKET_RUNBOOK, RULES
from marketdata.model.times import rfc3339

CONTEXT_BYTES_MAX = 500
"""So that eight alerts stay below the 20 kB that a webhook's body should not exceed."""

Notice = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of the history of the time in which an alert fired.

    `minutes` that were refilled; `lost` and `waiting` list what is gone for good, and what is still to be fetched.
    """

    minutes: int = 0
    lost: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """`12 minutes refilled, 0 lost`."""
        lost = f"lost: {', '.join(self.lost)}" if self.lost else "0 lost"
        waiting = f", still to be fetched: {', '.join(self.waiting)}" if self.waiting else ""
        return f"{self.minutes} minutes refilled, {lost}{waiting}"


@dataclass(frozen=True, slots=True)
class NoticeWords:
    """What turns alerts into notices: where the runbook is, and what was refilled, by the alert's id."""

    runbook_url: str = "docs/runbook.md"
    recoveries: Mapping[str, Recovery] = field(default_factory=dict)


def alerts_notice(alerts: Sequence[Alert], now: datetime, words: NoticeWords) -> Notice:
    """The notice of some alerts of one group, the worst first."""
    told = [_alert(one, words) for one in alerts]
    worst = max((one.severity for one in alerts), key=lambda one: one.rank)
    return _notice("alerts", _title(told), worst, now, told)


def digest_notice(notices: Iterable[Mapping[str, Any]], now: datetime) -> Notice:
    """What quiet hours kept back, as one notice: of each alert the last that was said."""
    last: dict[str, dict[str, Any]] = {}
    for notice in notices:
        last |= {alert["alert_id"]: alert for alert in notice["alerts"]}
    told = list(last.values())
    worst = max((Severity(one["severity"]) for one in told), key=lambda one: one.rank)
    return _notice("digest", f"{len(told)} alerts of the quiet hours", worst, now, told)


def heartbeat_notice(firing: int, feeds: Mapping[str, str], now: datetime) -> Notice:
    """The daily sign of life: as long as it comes, silence means that nothing fires."""
    title = f"alive; {firing} alerts fire" if firing else "alive; nothing fires"
    context = {"firing": firing, "feeds": dict(feeds)}
    return _notice("heartbeat", title, Severity.INFO, now, []) | {"context": context}


def trial_notice(now: datetime) -> Notice:
    """What `marketdata alerts test` sends."""
    return _notice("test", "a test: this target hears us", Severity.INFO, now, [])


def _notice(kind: str, title: str, severity: Severity, now: datetime, alerts: list[dict[str, Any]]) -> Notice:
    return {"kind": kind, "title": title, "severity": severity.value, "timestamp": rfc3339(now), "alerts": alerts}


def _alert(alert: Alert, words: NoticeWords) -> dict[str, Any]:
    rule = RULES.get(alert.rule)
    context = _bounded(alert.context)
    told: dict[str, Any] = {
        "alert_id": str(alert.id),
        "dedup_key": alert.dedup_key,
        "type": alert.rule,
        "status": "flapping" if alert.flapping and alert.state is AlertState.FIRING else alert.state.value,
        "severity": alert.severity.value,
        "summary": alert.summary,
        "exchange": alert.exchange,
        "symbol": alert.symbol,
        "started_at": rfc3339(alert.began),
        "ended_at": rfc3339(alert.resolved_at) if alert.resolved_at else None,
        "value": context.get("value"),
        "threshold": context.get("threshold"),
        "impact": rule.impact if rule else "",
        "runbook": f"{words.runbook_url}#{rule.runbook if rule else MARKET_RUNBOOK}",
        "context": context,
    }
    if alert.resolved_at is not None:
        told["duration_seconds"] = max(0.0, (alert.resolved_at - alert.began).total_seconds())
        recovery = words.recoveries.get(str(alert.id))
        told["recovery"] = recovery.summary if recovery else ""
    return told


def _title(told: Sequence[Mapping[str, Any]]) -> str:
    first = told[0]
    what = f"[{str(first['status']).upper()}] {sentence(first)}"
    return what if len(told) == 1 else f"{what} (and {len(told) - 1} more)"


def sentence(told: Mapping[str, Any]) -> str:
    """One alert in one sentence; of one that has ended, how long it held and what was refilled."""
    if told["status"] == "flapping":
        return f"{told['summary']}; it comes and goes, and is told once"
    if told["status"] != AlertState.RESOLVED.value:
        return str(told["summary"])
    recovery = f"; {told['recovery']}" if told.get("recovery") else ""
    return f"{told['summary']}: over after {_duration(told['duration_seconds'])}{recovery}"


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7_200 else f"{whole // 3_600} h {whole % 3_600 // 60} min"


def _bounded(context: Mapping[str, Any]) -> dict[str, Any]:
    """The context, without what would make a message too long."""
    kept: dict[str, Any] = {}
    left = CONTEXT_BYTES_MAX
    for name, value in context.items():
        left -= len(msgspec.json.encode({name: value}))
        if left >= 0:
            kept[name] = value
    return kept
