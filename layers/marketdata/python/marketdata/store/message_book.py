"""The messages of the in-memory store; the same as the database's alert_messages and its functions (migrations/).

Not safe for threads: MemoryStore holds the lock.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from marketdata.errors import EXCERPT_CHARACTERS_MAX
from marketdata.model.alert_message import AlertMessage, MessageState, TargetTrouble, Verdict
from marketdata.model.alert_target import Target

KEPT = timedelta(days=30)
_DEAD_COUNTED = timedelta(days=1)
_OPEN = (MessageState.WAITING, MessageState.HELD)


class MessageBook:
    """Messages by id, in the order in which they were written."""

    def __init__(self) -> None:
        self._messages: dict[UUID, AlertMessage] = {}

    def add(self, messages: Iterable[AlertMessage]) -> int:
        """Write messages that are new; how many are."""
        new = [one for one in messages if one.id not in self._messages]
        self._messages |= {one.id: one for one in new}
        return len(new)

    def digest(self, ids: Iterable[UUID]) -> None:
        """They went into a digest."""
        for one in ids:
            if self._messages[one].state is MessageState.HELD:
                self._messages[one] = replace(self._messages[one], state=MessageState.DIGESTED)

    def forget(self, now: datetime) -> None:
        """Forget what ended long ago."""
        old = [one.id for one in self._messages.values() if one.state not in _OPEN and one.created_at < now - KEPT]
        for one_id in old[:1_000]:
            del self._messages[one_id]

    def held(self, now: datetime) -> tuple[AlertMessage, ...]:
        """What quiet hours kept back that are over."""
        return tuple(one for one in self._messages.values() if one.state is MessageState.HELD and one.next_at <= now)[
            :200
        ]

    def troubles(self, targets: Mapping[str, Target], now: datetime) -> tuple[TargetTrouble, ...]:
        """Targets that do not hear."""
        found = []
        for name, target in sorted(targets.items()):
            mine = [one for one in self._messages.values() if one.target == name]
            waiting = [one for one in mine if one.state is MessageState.WAITING]
            dead = [one for one in mine if one.state is MessageState.DEAD and one.created_at > now - _DEAD_COUNTED]
            attempts = max((one.attempt for one in waiting), default=0)
            if target.disabled_reason or dead or attempts:
                found.append(TargetTrouble(name, len(waiting), len(dead), attempts, target.disabled_reason))
        return tuple(found)

    def claim(
        self, worker: str, now: datetime, lease: timedelta, limit: int, targets: Mapping[str, Target]
    ) -> list[AlertMessage]:
        """See Store.claim_messages."""
        waiting = [one for one in self._messages.values() if one.state is MessageState.WAITING]
        busy = {one.target for one in waiting if one.lease_until is not None and one.lease_until > now}
        behind: set[tuple[str, str]] = set()
        chosen: dict[str, AlertMessage] = {}
        for one in waiting:
            place = (one.target, one.queue)
            free = one.target not in busy and one.target in targets and targets[one.target].enabled
            if free and one.next_at <= now and one.target not in chosen and (not one.queue or place not in behind):
                chosen[one.target] = one
            behind.add(place)
        leased = [
            replace(one, worker=worker, attempt=one.attempt + 1, lease_until=now + lease)
            for one in list(chosen.values())[:limit]
        ]
        self._messages |= {one.id: one for one in leased}
        return leased

    def record(self, message: AlertMessage, verdict: Verdict) -> bool:
        """See Store.record_try."""
        held = self._messages.get(message.id)
        if held is None or (held.worker, held.attempt) != (message.worker, message.attempt):
            return False
        if held.lease_until is None:
            return any(one.attempt == message.attempt for one in held.tries)
        if held.state is not MessageState.WAITING:
            return False
        tried = replace(verdict.tried, error=verdict.tried.error[:EXCERPT_CHARACTERS_MAX])
        self._messages[message.id] = replace(
            held,
            state=verdict.state,
            lease_until=None,
            next_at=verdict.next_at or held.next_at,
            last_status=tried.status,
            last_error=tried.error,
            delivered_at=tried.at if verdict.state is MessageState.DELIVERED else None,
            tries=(*held.tries, tried),
        )
        return True

    def select(
        self,
        alerts: Collection[UUID] | None,
        target: str | None,
        states: Collection[MessageState] | None,
        limit: int,
    ) -> list[AlertMessage]:
        """See Store.alert_messages."""
        wanted = {str(one) for one in alerts} if alerts is not None else None
        found = [
            one
            for one in self._messages.values()
            if (wanted is None or any(about["alert_id"] in wanted for about in one.notice["alerts"]))
            and (target is None or one.target == target)
            and (states is None or one.state in states)
        ]
        return found[::-1][:limit]

    def replay(self, now: datetime, message_id: UUID | None, target: str | None) -> int:
        """See Store.replay_messages."""
        again = (MessageState.DEAD,) if message_id is None else (MessageState.DEAD, MessageState.DELIVERED)
        chosen = [
            one
            for one in self._messages.values()
            if one.state in again
            and (message_id is not None or target is not None)
            and message_id in (None, one.id)
            and target in (None, one.target)
        ][:1_000]
        for one in chosen:
            self._messages[one.id] = replace(
                one,
                state=MessageState.WAITING,
                next_at=now,
                attempt=0,
                worker=None,
                lease_until=None,
                delivered_at=None,
                tries=(),
            )
        return len(chosen)

    def give_up(self, target: str) -> None:
        """The target was removed."""
        for one in list(self._messages.values()):
            if one.target == target and one.state in _OPEN:
                gone = replace(one, state=MessageState.DEAD, last_error="the target was removed")
                self._messages[one.id] = gone
