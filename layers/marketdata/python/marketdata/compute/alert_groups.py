"""Who is told what, and when: grouping by exchange, inhibition, silences, reminders, quiet hours. Pure.

A change waits GROUP_WAIT for others of its exchange; then one message tells of all of them, at most one a group and
GROUP_INTERVAL, but for what is critical and new. What nobody heard of and has ended while silenced is not told; of what
was told, the end always is. Called by jobs/raise_alerts.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from marketdata.compute.quiet_hours import quiet_until
from marketdata.model.alert import Alert, AlertState, Severity, Told
from marketdata.model.alert_book import Entry
from marketdata.model.alert_message import Silence
from marketdata.model.alert_rule import RULES
from marketdata.model.alert_target import Target

GROUP_WAIT = timedelta(seconds=10)
GROUP_INTERVAL = timedelta(minutes=5)
REPEAT = timedelta(hours=4)
ALERTS_A_MESSAGE = 8
SYSTEM = "system"
"""The group of what is about no exchange."""


@dataclass(frozen=True, slots=True)
class Telling:
    """One message to one target. `held_until`: the end of its quiet hours, if it waits for the digest.

    `not_before` is when a target that is told one by one may be told. `queue`: see AlertMessage.
    """

    target: Target
    alerts: tuple[Alert, ...]
    severity: Severity
    queue: str = ""
    held_until: datetime | None = None
    not_before: datetime | None = None


@dataclass(slots=True)
class Announced:
    """What comes of one evaluation: messages, what was told of each alert, and when each group was told last."""

    tellings: list[Telling] = field(default_factory=list)
    told: list[tuple[Alert, Told]] = field(default_factory=list)
    groups: dict[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Desk:
    """What is judged together: alerts that fire or lag, and what may keep them from being told."""

    alerts: Sequence[Alert]
    entries: Mapping[str, Entry]
    groups: Mapping[str, datetime]
    silences: Collection[Silence] = ()
    targets: Sequence[Target] = ()


def tell(desk: Desk, now: datetime) -> Announced:
    """What is to be told now."""
    outcome = Announced(groups={name: at for name, at in desk.groups.items() if now - at < REPEAT})
    for group, alerts in _grouped(desk.alerts).items():
        open_ones = [one for one in alerts if one.told is not None or not _is_silenced(one, desk, now)]
        outcome.told += [(one, Told.SILENCED) for one in alerts if one not in open_ones and _has_ended(one)]
        lagging = [one for one in open_ones if one.lags]
        reminded = [one for one in open_ones if _wants_reminder(one, now) and not _is_silenced(one, desk, now)]
        if (lagging or reminded) and _is_due(lagging, desk, desk.groups.get(group), now):
            chosen = sorted({one.id: one for one in [*lagging, *reminded]}.values(), key=_by_weight)
            outcome.tellings += _tellings(chosen, desk.targets, now)
            outcome.told += [(one, _told(one)) for one in chosen]
            outcome.groups[group] = now
    return outcome


def _grouped(alerts: Iterable[Alert]) -> dict[str, list[Alert]]:
    groups: dict[str, list[Alert]] = {}
    for alert in alerts:
        groups.setdefault(alert.exchange or SYSTEM, []).append(alert)
    return groups


def _has_ended(alert: Alert) -> bool:
    return alert.state is AlertState.RESOLVED


def _is_silenced(alert: Alert, desk: Desk, now: datetime) -> bool:
    """By a silence or maintenance, or because the exchange as a whole is the trouble."""
    if any(one.covers(alert.rule, alert.exchange, alert.symbol, now) for one in desk.silences):
        return True
    return alert.symbol is not None and any(
        other.exchange == alert.exchange and _inhibits(other) for other in desk.alerts if not _has_ended(other)
    )


def _inhibits(alert: Alert) -> bool:
    return alert.symbol is None and alert.rule in RULES and RULES[alert.rule].inhibits


def _wants_reminder(alert: Alert, now: datetime) -> bool:
    repeats = alert.rule not in RULES or RULES[alert.rule].repeats
    told_long_ago = alert.told_at is not None and now - alert.told_at >= REPEAT
    return repeats and not _has_ended(alert) and not alert.lags and told_long_ago


def _is_due(lagging: Sequence[Alert], desk: Desk, told_at: datetime | None, now: datetime) -> bool:
    """Reminders wait for nobody; changes wait for each other."""
    if lagging and now - min(map(_changed_at, lagging)) < GROUP_WAIT:
        return False
    if told_at is None or now - told_at >= GROUP_INTERVAL:
        return True
    return any(_is_urgent(one, desk.entries.get(one.dedup_key)) for one in lagging)


def _is_urgent(alert: Alert, entry: Entry | None) -> bool:
    """Critical, and not heard of lately."""
    is_new = alert.told is None and not _has_ended(alert) and not alert.flapping
    return is_new and alert.severity is Severity.CRITICAL and (entry is None or len(entry.changes) <= 1)


def _changed_at(alert: Alert) -> datetime:
    if alert.resolved_at is not None and alert.told is not None:
        return alert.resolved_at
    return alert.created_at


def _by_weight(alert: Alert) -> tuple[bool, int, datetime]:
    """What fires before what has ended, the worst first."""
    return (_has_ended(alert), -alert.severity.rank, alert.created_at)


def _told(alert: Alert) -> Told:
    if _has_ended(alert):
        return Told.RESOLVED
    return Told.FLAPPING if alert.flapping else Told.FIRING


def _tellings(alerts: Sequence[Alert], targets: Iterable[Target], now: datetime) -> Iterator[Telling]:
    for target in targets:
        heard = [one for one in alerts if one.severity.rank >= target.min_severity.rank]
        if not heard or not target.enabled:
            continue
        if target.kind.one_by_one:
            # An end before what fires: of one key, what fires now is what came last.
            heard.sort(key=lambda one: (not _has_ended(one), one.created_at))
        size = 1 if target.kind.one_by_one else ALERTS_A_MESSAGE
        for start in range(0, len(heard), size):
            yield _telling(target, tuple(heard[start : start + size]), now)


def _telling(target: Target, alerts: tuple[Alert, ...], now: datetime) -> Telling:
    severity = max((one.severity for one in alerts), key=lambda one: one.rank)
    until = quiet_until(target.quiet, now) if severity is not Severity.CRITICAL else None
    if target.kind.one_by_one:
        return Telling(target, alerts, severity, queue=alerts[0].dedup_key, not_before=until)
    return Telling(target, alerts, severity, held_until=until)
