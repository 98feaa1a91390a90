"""The alerts job, killed between any two of its steps: nothing is lost, nothing unsigned, duplicates share their id."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from marketdata.clock import FakeClock
from marketdata.jobs.alerts import AlertSettings, alerts
from marketdata.jobs.raise_alerts import RaiseSettings
from marketdata.model.alert import AlertState, Severity
from marketdata.model.alert_message import AlertMessage, Verdict
from marketdata.model.alert_target import Target, TargetKind
from marketdata.net.webhook import WebhookAnswer, Webhooks
from marketdata.store.alerts import AlertChanges, AlertDesk
from marketdata.store.answers import FeedStatus
from marketdata.store.memory import MemoryStore
from standardwebhooks import Webhook

from tests.market import BTC
from tests.webhook_receiver import Received, Receiver

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
NOON = datetime(2026, 8, 31, 12, tzinfo=UTC)
STEPS = [10] * 16 + [60] * 8
"""Seconds between the evaluations of one story."""
BACK_AT = NOON + timedelta(seconds=70)
SETTINGS = AlertSettings(RaiseSettings(periods={}))


class Killed(BaseException):
    """The process is gone, in the middle of whatever it did."""


@dataclass
class Fate:
    """Counts the moments in which a process may die, and kills it in some of them."""

    fatal: frozenset[int] = frozenset()
    passed: int = 0
    died: list[int] = field(default_factory=list)

    def moment(self) -> None:
        """Raises: Killed, if this is one of them."""
        self.passed += 1
        if self.passed in self.fatal:
            self.died.append(self.passed)
            raise Killed

    def around(self, work: Callable[[], Any]) -> Any:
        """It may die before, and when all is done but nobody heard."""
        self.moment()
        done = work()
        self.moment()
        return done


class MortalStore(MemoryStore):
    """A store whose caller may die around each write and each lease."""

    def __init__(self, fate: Fate) -> None:
        super().__init__()
        self._fate = fate

    def alert_desk(self, *, now: datetime) -> AlertDesk:
        desk: AlertDesk = self._fate.around(lambda: super(MortalStore, self).alert_desk(now=now))
        return desk

    def commit_alerts(self, version: int, changes: AlertChanges, *, now: datetime) -> bool:
        return bool(self._fate.around(lambda: super(MortalStore, self).commit_alerts(version, changes, now=now)))

    def claim_messages(self, worker: str, *, now: datetime, lease_seconds: float, limit: int) -> list[AlertMessage]:
        claimed: list[AlertMessage] = self._fate.around(
            lambda: super(MortalStore, self).claim_messages(worker, now=now, lease_seconds=lease_seconds, limit=limit)
        )
        return claimed

    def record_try(self, message: AlertMessage, verdict: Verdict) -> bool:
        return bool(self._fate.around(lambda: super(MortalStore, self).record_try(message, verdict)))


def run_story(fate: Fate, receiver: Receiver) -> MortalStore:
    """An exchange is down for a minute, and some minutes later everybody has heard of it; the job dies as fated."""
    clock, store = FakeClock(NOON), MortalStore(fate)
    store.put_instruments([BTC])
    store.put_target(Target("hook", TargetKind.GENERIC, receiver.url, (SECRET,), Severity.INFO))
    post = Webhooks(allow_local=True).post

    def send(url: str, body: bytes, headers: Mapping[str, str]) -> WebhookAnswer:
        answer: WebhookAnswer = fate.around(lambda: post(url, body, headers))
        return answer

    for seconds in STEPS:
        state = "down" if clock.now() < BACK_AT else "live"
        store.put_feed_status(FeedStatus("coinbase", "f", state, NOON, clock.now(), last_message_at=NOON))
        with suppress(Killed):
            alerts(store, clock, clock.now() + timedelta(seconds=30), settings=SETTINGS, send=send)
        clock.advance(timedelta(seconds=seconds))
    return store


def told(received: list[Received]) -> Iterator[tuple[str, str, Received]]:
    """(alert, status, request) of everything that was received."""
    for one in received:
        for alert in (one.json["data"], *one.json["data"]["others"]):
            yield alert["alert_id"], alert["status"], one


def check(store: MortalStore, received: list[Received]) -> None:
    (alert,) = MemoryStore.alerts(store, limit=100)
    assert (alert.rule, alert.state) == ("feed.down", AlertState.RESOLVED)
    by_status: dict[tuple[str, str], set[str]] = {}
    for alert_id, status, request in told(received):
        by_status.setdefault((alert_id, status), set()).add(request.id)
    assert set(by_status) == {(str(alert.id), "firing"), (str(alert.id), "resolved")}
    assert [len(ids) for ids in by_status.values()] == [1, 1], "a duplicate has an id of its own"
    for one in received:
        sent_at = datetime.fromtimestamp(int(one.headers["webhook-timestamp"]), UTC)
        assert one.headers["webhook-signature"] == Webhook(SECRET).sign(one.id, sent_at, one.body.decode())
    assert len({(one.id, one.body) for one in received}) == 2, "a message that is sent again is the same"


def moments() -> int:
    """In how many moments of the story a process may die."""
    fate = Fate()
    with Receiver() as receiver:
        check(run_story(fate, receiver), receiver.received)
    return fate.passed


def lives(count: int) -> list[frozenset[int]]:
    """Each moment once, and then two to five drawn ones together, as many as are asked for."""
    every, random = moments(), Random(7)
    single = [frozenset({moment}) for moment in range(1, every + 1)]
    drawn = [frozenset(random.sample(range(1, every + 1), random.randint(2, 5))) for _ in range(count)]
    random.shuffle(single)
    return [*single, *drawn][:count]


def die_and_check(fates: list[frozenset[int]]) -> int:
    """How many deaths there were."""
    deaths = 0
    with Receiver() as receiver:
        for fatal in fates:
            fate = Fate(fatal)
            receiver.received.clear()
            check(run_story(fate, receiver), list(receiver.received))
            deaths += len(fate.died)
    return deaths


@pytest.mark.slow
def test_a_job_that_dies_in_a_hundred_moments_loses_no_alert_and_sends_none_unsigned_or_under_two_ids() -> None:
    assert die_and_check(lives(100)) >= 100


@pytest.mark.slow
@pytest.mark.long
def test_a_job_that_dies_in_a_thousand_moments_loses_no_alert_and_sends_none_unsigned_or_under_two_ids() -> None:
    assert die_and_check(lives(1_000)) >= 1_000
