"""One evaluation: facts become conditions, conditions become alerts, alerts become messages; written all or nothing.

Whoever is overtaken by another evaluation changes nothing. Called by the alerts job.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from uuid import uuid4

from marketdata.compute import alert_rules
from marketdata.compute.alert_groups import Announced, Desk, Telling, tell
from marketdata.compute.alert_machine import Advance, Fired, Flapped, Resolved, advance
from marketdata.compute.market_rules import key_of, market_condition
from marketdata.jobs.gather_facts import SHARES_EVERY, gather_facts, measure
from marketdata.jobs.job_periods import PERIODS
from marketdata.model.alert import Alert, AlertState, Severity
from marketdata.model.alert_book import Book, Condition, Entry, Standing
from marketdata.model.alert_message import AlertMessage, MessageState
from marketdata.model.alert_target import Target
from marketdata.model.span import Span
from marketdata.model.times import rfc3339
from marketdata.serve.alert_notice import (
    Notice,
    NoticeWords,
    Recovery,
    alerts_notice,
    digest_notice,
    heartbeat_notice,
)
from marketdata.store.alerts import AlertChanges, AlertDesk, MissedHistory
from marketdata.store.store import Store

HEARTBEAT_HOUR = 8
"""UTC."""
DIGESTED_A_MESSAGE = 8
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RaiseSettings:
    """`environment`: the target that the settings name. `heartbeat`: whether a sign of life is sent daily."""

    environment: Target | None = None
    heartbeat: bool = True
    runbook_url: str = "docs/runbook.md"
    periods: Mapping[str, timedelta] | None = None


@dataclass(frozen=True, slots=True)
class Raised:
    """What one evaluation did; `overtaken`: another one was quicker, and nothing was changed."""

    fired: int = 0
    resolved: int = 0
    messages: int = 0
    firing: int = 0
    overtaken: bool = False


def raise_alerts(store: Store, now: datetime, settings: RaiseSettings) -> Raised:
    """Evaluate everything once. Raises: StoreError."""
    desk = store.alert_desk(now=now)
    targets = list(known_targets(desk.targets, settings.environment))
    facts = gather_facts(store, desk, now, PERIODS if settings.periods is None else settings.periods)
    firing = {key for key, entry in desk.book.entries.items() if entry.standing is Standing.FIRING}
    measured = measure(store, desk.rules, facts.instruments, now)
    of_markets = [market_condition(one, firing=key_of(one.rule) in firing) for one in measured]
    holding = [*alert_rules.conditions(facts), *(one for one in of_markets if one is not None)]
    advanced = advance(desk.book.entries, holding, now, iter(uuid4, None))
    announced = tell(Desk(desk.alerts, desk.book.entries, desk.book.groups, desk.silences, targets), now)
    messages = [*_messages(store, announced, now, settings), *_digests(desk, now)]
    feeds = {one.exchange: one.state for one in facts.feeds}
    heartbeat_at, heartbeats = _heartbeat(desk, targets, feeds, now, settings)
    kept = desk.book.shares_at is not None and now - desk.book.shares_at < SHARES_EVERY
    book = Book(
        entries=advanced.entries,
        groups=announced.groups,
        heartbeat_at=heartbeat_at,
        shares=facts.shares,
        shares_at=desk.book.shares_at if kept else now,
    )
    changes = _changes(book, advanced, announced, messages=[*messages, *heartbeats], desk=desk, now=now)
    if _says_nothing(changes, desk):
        return Raised(firing=len(firing))
    if not store.commit_alerts(desk.version, changes, now=now):
        return Raised(overtaken=True)
    return Raised(len(changes.fired), len(changes.resolved), len(changes.messages), _count_firing(book.entries))


def known_targets(stored: Iterable[Target], environment: Target | None) -> Iterator[Target]:
    """The targets with their addresses: the row of the settings' own says only whether it is enabled."""
    for target in stored:
        if environment is not None and target.name == environment.name:
            yield replace(environment, enabled=target.enabled, disabled_reason=target.disabled_reason)
        else:
            yield target


def _changes(
    book: Book,
    advanced: Advance,
    announced: Announced,
    *,
    messages: Sequence[AlertMessage],
    desk: AlertDesk,
    now: datetime,
) -> AlertChanges:
    fired = (one for one in advanced.changes if isinstance(one, Fired))
    return AlertChanges(
        book=book,
        fired=tuple(_alert(one, advanced.entries[one.condition.dedup_key], now) for one in fired),
        resolved=tuple(one for one in advanced.changes if isinstance(one, Resolved)),
        flapped=tuple(one for one in advanced.changes if isinstance(one, Flapped)),
        told=tuple((alert.id, told) for alert, told in announced.told),
        messages=tuple(messages),
        digested=tuple(one.id for one in desk.held),
    )


def _says_nothing(changes: AlertChanges, desk: AlertDesk) -> bool:
    news = changes.fired or changes.resolved or changes.flapped or changes.told or changes.messages or changes.digested
    return not news and changes.book == desk.book


def _alert(fired: Fired, entry: Entry, now: datetime) -> Alert:
    condition: Condition = fired.condition
    return Alert(
        id=fired.id,
        dedup_key=condition.dedup_key,
        rule=condition.rule,
        severity=condition.severity,
        state=AlertState.FIRING,
        summary=condition.summary,
        created_at=now,
        exchange=condition.exchange,
        symbol=condition.symbol,
        context=condition.context,
        started_at=fired.since,
        flapping=entry.flapping,
    )


def _messages(store: Store, announced: Announced, now: datetime, settings: RaiseSettings) -> Iterator[AlertMessage]:
    ended = {one.id: one for telling in announced.tellings for one in telling.alerts if one.resolved_at is not None}
    recoveries = {str(one.id): recovery for one in ended.values() if (recovery := _recovery(store, one)) is not None}
    words = NoticeWords(settings.runbook_url, recoveries)
    for telling in announced.tellings:
        yield _message(telling, alerts_notice(telling.alerts, now, words), now)


def _recovery(store: Store, alert: Alert) -> Recovery | None:
    """What became of the history of its time; None where it is not about an exchange's history."""
    if alert.exchange is None or alert.resolved_at is None or alert.resolved_at <= alert.began:
        return None
    if not alert.rule.startswith(("feed.", "gap.", "spool.")):
        return None
    missed = store.missed_history(alert.exchange, alert.symbol, Span(alert.began, alert.resolved_at))
    return recovery_of(missed)


def recovery_of(missed: MissedHistory) -> Recovery:
    """The same in words."""
    lost, waiting = (
        tuple(f"{symbol} {rfc3339(start)}..{rfc3339(end)}" for symbol, start, end in spans)
        for spans in (missed.lost, missed.waiting)
    )
    return Recovery(missed.minutes, lost, waiting)


def _message(telling: Telling, notice: Notice, now: datetime) -> AlertMessage:
    held = telling.held_until is not None
    return AlertMessage(
        id=uuid4(),
        target=telling.target.name,
        notice=notice,
        severity=telling.severity,
        created_at=now,
        next_at=telling.held_until or telling.not_before or now,
        queue=telling.queue,
        state=MessageState.HELD if held else MessageState.WAITING,
    )


def _digests(desk: AlertDesk, now: datetime) -> Iterator[AlertMessage]:
    """What quiet hours kept back and are over, a few alerts a message."""
    by_target = sorted(desk.held, key=lambda one: one.target)
    for target, held in groupby(by_target, key=lambda one: one.target):
        whole = digest_notice([one.notice for one in held], now)
        for start in range(0, len(whole["alerts"]), DIGESTED_A_MESSAGE):
            part = whole | {"alerts": whole["alerts"][start : start + DIGESTED_A_MESSAGE]}
            yield plain_message(target, part, now)


def plain_message(target: str, notice: Notice, now: datetime) -> AlertMessage:
    """A message that goes out at once."""
    return AlertMessage(uuid4(), target, notice, Severity(notice["severity"]), now, now)


def _heartbeat(
    desk: AlertDesk, targets: Iterable[Target], feeds: Mapping[str, str], now: datetime, settings: RaiseSettings
) -> tuple[datetime | None, list[AlertMessage]]:
    """Once a day, whatever severity a target asks for, for it says that the others would come.

    Not where each message is an incident.
    """
    due = now.replace(hour=HEARTBEAT_HOUR, minute=0, second=0, microsecond=0)
    due = due if due <= now else due - _DAY
    last = desk.book.heartbeat_at
    if last is not None and last >= due:
        return last, []
    if last is None or not settings.heartbeat:
        return now, []
    firing = [one for one in desk.alerts if one.state is AlertState.FIRING]
    notice = heartbeat_notice(len(firing), feeds, now)
    told = [one for one in targets if one.enabled and not one.kind.one_by_one]
    return now, [plain_message(one.name, notice, now) for one in told]


def _count_firing(entries: Mapping[str, Entry]) -> int:
    return sum(entry.standing is Standing.FIRING for entry in entries.values())
