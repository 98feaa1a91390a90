"""The desk and the outbox of alerts in the in-memory store."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from marketdata.clock import Clock
from marketdata.compute.alert_facts import GapFact
from marketdata.compute.coverage import clip
from marketdata.model.alert import Alert
from marketdata.model.alert_book import Book
from marketdata.model.alert_message import AlertMessage, MessageState, Silence, Verdict
from marketdata.model.alert_rule import MarketRule
from marketdata.model.alert_target import Target
from marketdata.model.gap import HISTORY, UNRESOLVED, Gap, GapState
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.alerts import AlertChanges, AlertDesk, AlertQuestion, MissedHistory
from marketdata.store.limits import check_limit, claim_refused, target_refused
from marketdata.store.memory_base import refuse
from marketdata.store.memory_work import MemoryWork
from marketdata.store.message_book import MessageBook

LAGGING_MAX = 1_000
LISTED_MAX = 10
_EVERY_GAP = 2**31
_MINUTE = timedelta(minutes=1)


class MemoryAlerts(MemoryWork):
    """The part of the Store protocol that is about alerts beyond the list of them."""

    def __init__(self, clock: Clock | None) -> None:
        super().__init__(clock)
        self._version = 0
        self._book = Book()
        self._messages = MessageBook()
        self._targets: dict[str, Target] = {}
        self._market_rules: dict[str, MarketRule] = {}
        self._silences: dict[UUID, Silence] = {}

    def alert_desk(self, *, now: datetime) -> AlertDesk:
        """See Store."""
        with self._lock:
            silences = [one for one in self._silences.values() if one.ends_at > now]
            return AlertDesk(
                version=self._version,
                book=self._book,
                alerts=self._outbox.desk(LAGGING_MAX),
                targets=tuple(self._targets[name] for name in sorted(self._targets)),
                rules=tuple(self._market_rules[name] for name in sorted(self._market_rules)),
                silences=tuple(sorted(silences, key=lambda one: (one.starts_at, one.id))),
                held=self._messages.held(now),
                troubles=self._messages.troubles(self._targets, now),
            )

    def commit_alerts(self, version: int, changes: AlertChanges, *, now: datetime) -> bool:
        """See Store. Raises: StoreError for a second alert of a key that fires; then nothing changed."""
        with self._lock:
            if version != self._version:
                return False
            twice = [one.dedup_key for one in changes.fired if self._outbox.fires(one.dedup_key)]
            refuse("commit_alerts", [f"{key} fires already" for key in twice])
            self._version, self._book = version + 1, changes.book
            self._outbox.change(changes, now)
            self._messages.add(changes.messages)
            self._messages.digest(changes.digested)
            self._messages.forget(now)
            return True

    def find_alerts(self, question: AlertQuestion) -> list[Alert]:
        """See Store. Raises: RequestInvalid for a limit out of bounds."""
        check_limit(question.limit)
        with self._lock:
            return self._outbox.find(question)

    def unrepaired_gaps(self, *, before: datetime) -> list[GapFact]:
        """See Store."""
        with self._lock:
            gaps = self._ledger.select(UNRESOLVED, None, _EVERY_GAP, None)
        by_key: dict[tuple[str, str], list[Gap]] = {}
        for gap in gaps:
            if gap.cause != HISTORY and gap.found_at < before:
                by_key.setdefault((gap.exchange, gap.symbol), []).append(gap)
        return [
            GapFact(*key, len(found), sum(map(_minutes, found)), min(gap.found_at for gap in found))
            for key, found in sorted(by_key.items())
        ]

    def missed_history(self, exchange: str, symbol: str | None, span: Span) -> MissedHistory:
        """See Store."""
        with self._lock:
            gaps = self._ledger.select(None, None, _EVERY_GAP, None)
        met = [
            (replace(gap, span=part), (part.start, gap.symbol))
            for gap in gaps
            if gap.exchange == exchange and symbol in (None, gap.symbol)
            if gap.timeframe == M1 and gap.cause != HISTORY
            for part in clip([gap.span], span)
        ]
        in_order = [gap for gap, _ in sorted(met, key=lambda pair: pair[1])]
        return MissedHistory(
            minutes=sum(_minutes(gap) for gap in in_order if gap.state in (GapState.FILLED, GapState.NO_TRADES)),
            lost=_listed(gap for gap in in_order if gap.state is GapState.UNRECOVERABLE),
            waiting=_listed(gap for gap in in_order if gap.state in UNRESOLVED),
        )

    def claim_messages(self, worker: str, *, now: datetime, lease_seconds: float, limit: int) -> list[AlertMessage]:
        """See Store. Raises: StoreError without a worker, a lease or a limit."""
        refuse("claim_messages", [claim_refused(worker, lease_seconds, limit)])
        with self._lock:
            return self._messages.claim(worker, now, timedelta(seconds=lease_seconds), limit, self._targets)

    def record_try(self, message: AlertMessage, verdict: Verdict) -> bool:
        """See Store."""
        with self._lock:
            is_mine = self._messages.record(message, verdict)
            target = self._targets.get(message.target)
            if is_mine and verdict.disables and target is not None and target.enabled:
                self._targets[target.name] = replace(target, enabled=False, disabled_reason=verdict.disables[:300])
            return is_mine

    def alert_messages(
        self,
        *,
        alerts: Collection[UUID] | None = None,
        target: str | None = None,
        states: Collection[MessageState] | None = None,
        limit: int,
    ) -> list[AlertMessage]:
        """See Store. Raises: RequestInvalid for a limit out of bounds."""
        check_limit(limit)
        with self._lock:
            return self._messages.select(alerts, target, states, limit)

    def put_messages(self, messages: Sequence[AlertMessage]) -> int:
        """See Store."""
        with self._lock:
            return self._messages.add(messages)

    def replay_messages(self, *, now: datetime, message_id: UUID | None = None, target: str | None = None) -> int:
        """See Store."""
        with self._lock:
            return self._messages.replay(now, message_id, target)

    def put_target(self, target: Target) -> None:
        """See Store. Raises: StoreError for one that cannot be."""
        refuse("put_target", [target_refused(target)])
        with self._lock:
            self._targets[target.name] = target

    def remove_target(self, name: str) -> bool:
        """See Store."""
        with self._lock:
            known = self._targets.pop(name, None) is not None
            if known:
                self._messages.give_up(name)
            return known

    def put_market_rule(self, rule: MarketRule) -> None:
        """See Store."""
        with self._lock:
            known = self._market_rules.get(rule.name)
            self._market_rules[rule.name] = replace(rule, created_at=known.created_at if known else rule.created_at)

    def remove_market_rule(self, name: str) -> bool:
        """See Store."""
        with self._lock:
            return self._market_rules.pop(name, None) is not None

    def put_silence(self, silence: Silence) -> None:
        """See Store. Raises: StoreError for one that ends before it begins."""
        refuse("put_silence", ["it ends before it begins"] if silence.ends_at <= silence.starts_at else [])
        with self._lock:
            self._silences[silence.id] = silence

    def remove_silence(self, silence_id: UUID) -> bool:
        """See Store."""
        with self._lock:
            return self._silences.pop(silence_id, None) is not None


def _minutes(gap: Gap) -> int:
    return (gap.span.end - gap.span.start) // _MINUTE


def _listed(gaps: Iterable[Gap]) -> tuple[tuple[str, datetime, datetime], ...]:
    return tuple((gap.symbol, gap.span.start, gap.span.end) for gap in gaps)[:LISTED_MAX]
