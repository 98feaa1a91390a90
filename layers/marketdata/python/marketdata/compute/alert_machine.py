"""The state machine of alerts: pending, firing, resolved. Pure: conditions and a time in, changes out.

A condition fires when it has held for its hold, and is resolved when it has been gone for as long. More than
CHANGES_MAX such changes in FLAP_WINDOW and it flaps: the alert goes on firing, as one, until the condition has neither
come nor gone for FLAP_WINDOW. Called by jobs/raise_alerts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from marketdata.model.alert_book import Condition, Entry, Standing

CHANGES_MAX = 4
FLAP_WINDOW = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert begins: `id` is new."""

    id: UUID
    condition: Condition
    since: datetime


@dataclass(frozen=True, slots=True)
class Resolved:
    """The alert of that id has ended; it held until `at`."""

    id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class Flapped:
    """The alert of that id began to come and go, or ceased to."""

    id: UUID
    flapping: bool


Change = Fired | Resolved | Flapped


@dataclass(slots=True)
class Advance:
    """The entries as they are now, and what changed."""

    entries: dict[str, Entry] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)


def advance(
    entries: Mapping[str, Entry], conditions: Iterable[Condition], now: datetime, new_ids: Iterable[UUID]
) -> Advance:
    """One step. Of conditions with the same key the first counts; `new_ids` names the alerts that fire."""
    holding: dict[str, Condition] = {}
    for condition in conditions:
        holding.setdefault(condition.dedup_key, condition)
    done, ids = Advance(), iter(new_ids)
    for key in sorted({*entries, *holding}):
        entry = entries.get(key)
        forgotten = entry is None or (entry.standing is Standing.CLEAR and not _recent(entry.changes, now))
        known = None if forgotten else entry
        after, change = _step(known, holding.get(key), now, ids)
        if after is not None:
            done.entries[key] = after
        if change is not None:
            done.changes.append(change)
    return done


def _step(
    entry: Entry | None, condition: Condition | None, now: datetime, ids: Iterable[UUID]
) -> tuple[Entry | None, Change | None]:
    if entry is not None and entry.standing is Standing.FIRING:
        return _firing(entry, condition, now)
    if condition is None or not condition.firm:
        # What had not fired yet was nothing; that it fired before is remembered for as long as flapping counts.
        if entry is None or not (changes := _recent(entry.changes, now)):
            return None, None
        return replace(entry, standing=Standing.CLEAR, changes=changes), None
    return _pending(entry, condition, now, ids)


def _pending(
    entry: Entry | None, condition: Condition, now: datetime, ids: Iterable[UUID]
) -> tuple[Entry, Change | None]:
    if entry is None or entry.standing is not Standing.PENDING:
        since = min(condition.since or now, now)
        changes = entry.changes if entry is not None else ()
        if entry is not None and entry.clear_since is not None:
            # It held until then: it cannot have begun before.
            since = max(since, entry.clear_since)
        clear_since = entry.clear_since if entry is not None else None
        hold_seconds = condition.hold.total_seconds()
        entry = Entry(Standing.PENDING, since, clear_since, changes=changes, hold_seconds=hold_seconds)
    if now - entry.since < condition.hold:
        return entry, None
    alert_id = next(iter(ids))
    changes = (*_recent(entry.changes, now), now)
    fired = replace(
        entry,
        standing=Standing.FIRING,
        alert_id=alert_id,
        changes=changes,
        flapping=len(changes) > CHANGES_MAX,
        toggled_at=now,
        clear_since=None,
    )
    return fired, Fired(alert_id, condition, entry.since)


def _firing(entry: Entry, condition: Condition | None, now: datetime) -> tuple[Entry, Change | None]:
    alert_id = entry.alert_id
    assert alert_id is not None, entry
    held_before = entry.clear_since is None
    toggled_at = now if held_before != (condition is not None) else entry.toggled_at
    clear_since = None if condition is not None else entry.clear_since or now
    entry = replace(entry, clear_since=clear_since, toggled_at=toggled_at, changes=_recent(entry.changes, now))
    if entry.flapping:
        return _flapping(entry, alert_id, now)
    if clear_since is None or now - clear_since < timedelta(seconds=entry.hold_seconds):
        return entry, None
    if len(entry.changes) + 1 > CHANGES_MAX:
        return replace(entry, flapping=True), Flapped(alert_id, flapping=True)
    return _end(entry, now), Resolved(alert_id, clear_since)


def _flapping(entry: Entry, alert_id: UUID, now: datetime) -> tuple[Entry, Change | None]:
    """It is over when the condition has stayed as it is for as long as flapping counts."""
    if entry.toggled_at is not None and now - entry.toggled_at < FLAP_WINDOW:
        return entry, None
    if entry.clear_since is None:
        return replace(entry, flapping=False, changes=()), Flapped(alert_id, flapping=False)
    return _end(entry, now), Resolved(alert_id, entry.clear_since)


def _end(entry: Entry, now: datetime) -> Entry:
    changes = (*entry.changes, now)
    return replace(entry, standing=Standing.CLEAR, alert_id=None, changes=changes, flapping=False)


def _recent(changes: Iterable[datetime], now: datetime) -> tuple[datetime, ...]:
    return tuple(time for time in changes if now - time < FLAP_WINDOW)
