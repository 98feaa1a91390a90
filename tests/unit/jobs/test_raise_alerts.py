"""The alerts job over a store: what happens to a market, and what is sent of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Event
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from marketdata.clock import FakeClock
from marketdata.errors import StoreError
from marketdata.jobs.alerts import AlertSettings, alerts
from marketdata.jobs.raise_alerts import RaiseSettings
from marketdata.jobs.store_outage import StoreOutage
from marketdata.model.alert import AlertState, Severity
from marketdata.model.alert_message import MessageState, Silence
from marketdata.model.alert_rule import Direction, MarketRule, MarketRuleKind
from marketdata.model.alert_target import QuietHours, Target, TargetKind
from marketdata.model.gap import GapState
from marketdata.model.job_run import RunState
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.net.webhook import WebhookAnswer
from marketdata.store.alerts import AlertDesk, AlertQuestion
from marketdata.store.answers import FeedStatus
from marketdata.store.memory import MemoryStore

from tests.market import BTC, candle

NOON = datetime(2026, 8, 31, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
HOOK = Target("hook", TargetKind.GENERIC, "https://hook.example/", (SECRET,), Severity.INFO)


class World:
    """A followed exchange, a clock, the job, and everything that was sent, as JSON."""

    def __init__(self, *targets: Target, environment: Target | None = None) -> None:
        self.clock = FakeClock(NOON)
        self.store = MemoryStore(self.clock)
        self.store.put_instruments([BTC])
        for target in targets:
            self.store.put_target(target)
        self.settings = AlertSettings(RaiseSettings(environment, periods={}))
        self.sent: list[tuple[str, Any]] = []
        self.answers: dict[str, list[WebhookAnswer]] = {}
        self.ids: list[str] = []
        self.outage = StoreOutage()

    def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> WebhookAnswer:
        """Takes everything, but for what was said to be answered."""
        self.sent.append((url, msgspec.json.decode(body)))
        self.ids.append(headers.get("webhook-id", ""))
        waiting = self.answers.get(url)
        return waiting.pop(0) if waiting else WebhookAnswer(200)

    def run(self) -> dict[str, object]:
        """The job, once."""
        deadline = self.clock.now() + 30 * SECOND
        return alerts(self.store, self.clock, deadline, settings=self.settings, send=self.send, outage=self.outage)

    def feed(self, state: str = "live", **changes: Any) -> None:
        """What the feed says now."""
        now = self.clock.now()
        self.store.put_feed_status(replace(FeedStatus("coinbase", "f", state, NOON - HOUR, now), **changes))

    def live(self, seconds: float, state: str = "live", step: float = 10) -> None:
        """Let time go by, the feed in that state, the job looking every `step` seconds."""
        for _ in range(int(seconds / step)):
            self.feed(state)
            self.run()
            self.clock.advance(step * SECOND)

    @property
    def alerts(self) -> list[Any]:
        """Each alert that was sent, in order."""
        return [one for _, body in self.sent for one in (body["data"], *body["data"]["others"])]

    @property
    def statuses(self) -> list[tuple[str, str]]:
        """Type and status of each."""
        return [(one["type"], one["status"]) for one in self.alerts]


def test_an_outage_is_one_message_and_its_end_another_with_how_long_it_took() -> None:
    world = World(HOOK)
    world.live(60)
    world.live(180, "down")
    assert world.statuses == [("feed.down", "firing")]
    world.live(400)
    assert world.statuses == [("feed.down", "firing"), ("feed.down", "resolved")]
    body = world.sent[-1][1]
    assert (
        body["message"]
        == "[RESOLVED] coinbase: the feed is not connected: over after 3 min; 0 minutes refilled, 0 lost"
    )
    (alert,) = world.store.find_alerts(AlertQuestion())
    assert (alert.state, alert.told) == (AlertState.RESOLVED, "resolved")


def test_the_first_word_comes_within_seconds_of_the_hold() -> None:
    world = World(HOOK)
    world.live(50, "down")
    assert len(world.sent) == 1
    fired_at = datetime.fromisoformat(world.sent[0][1]["timestamp"])
    assert fired_at - NOON == 40 * SECOND


def test_a_feed_that_flaps_fifty_times_sends_one_message_that_it_does_and_not_fifty() -> None:
    world = World(HOOK)
    for _ in range(50):
        world.live(40, "down")
        world.live(40)
    assert len(world.sent) == 2
    assert world.statuses[:2] == [("feed.down", "firing"), ("feed.down", "flapping")]
    assert [status for _, status in world.statuses].count("flapping") == 1
    world.live(45 * 60, step=60)
    assert len(world.sent) == 3
    assert world.statuses[-1] == ("feed.down", "resolved")


def test_a_recovery_says_what_was_refilled_and_what_is_lost() -> None:
    world = World(HOOK)
    world.live(300, "down")
    world.store.record_gaps(BTC, M1, [Span(NOON + MINUTE, NOON + 4 * MINUTE)], cause="disconnect", found_at=NOON)
    (gap,) = world.store.claim_gaps("w", now=world.clock.now(), lease_seconds=60, limit=1)
    world.store.resolve_gap(gap, state=GapState.FILLED, now=world.clock.now())
    world.store.record_gaps(BTC, M1, [Span(NOON + 4 * MINUTE, NOON + 5 * MINUTE)], cause="scan", found_at=NOON)
    (gap,) = world.store.claim_gaps("w", now=world.clock.now(), lease_seconds=60, limit=1)
    world.store.resolve_gap(gap, state=GapState.UNRECOVERABLE, now=world.clock.now(), reason="nothing came")
    world.live(400)
    (over,) = [one for one in world.alerts if one["status"] == "resolved"]
    assert over["recovery"] == "3 minutes refilled, lost: BTC-USD 2026-08-31T12:04:00Z..2026-08-31T12:05:00Z"
    assert ("gap.unrecoverable", "firing") in world.statuses


def test_an_exchange_that_is_down_silences_the_gaps_of_its_symbols() -> None:
    world = World(HOOK)
    world.store.record_gaps(BTC, M1, [Span(NOON - MINUTE, NOON)], cause="scan", found_at=NOON)
    world.live(900, "down", step=30)
    assert world.statuses == [("feed.down", "firing")]
    assert len(world.store.find_alerts(AlertQuestion(rule="gap.unrepaired"))) == 1
    world.live(400)
    assert ("gap.unrepaired", "firing") in world.statuses


def test_declared_maintenance_silences_everything_of_the_exchange() -> None:
    world = World(HOOK)
    world.store.put_silence(Silence(uuid4(), NOON, NOON + HOUR, "maintenance", exchange="coinbase"))
    world.live(300, "down")
    world.live(300)
    assert world.sent == []
    assert [one.told for one in world.store.find_alerts(AlertQuestion())] == ["silenced"]


def test_a_target_that_is_gone_is_disabled_and_the_others_hear_of_it() -> None:
    other = replace(HOOK, name="other", url="https://other.example/")
    world = World(HOOK, other)
    world.answers[HOOK.url] = [WebhookAnswer(410, "HTTP 410")]
    world.live(60, "down")
    assert {url for url, _ in world.sent} == {HOOK.url, other.url}, "targets are told beside each other, in any order"
    world.live(600, "down")
    assert [target.enabled for target in world.store.alert_desk(now=NOON).targets] == [False, True]
    assert ("delivery.failing", "firing") in world.statuses
    assert [url for url, _ in world.sent].count(HOOK.url) == 1


def test_a_failed_try_is_tried_again_by_the_schedule_under_the_same_id() -> None:
    world = World(HOOK)
    world.answers[HOOK.url] = [WebhookAnswer(500, "HTTP 500"), WebhookAnswer(429, "HTTP 429", 90.0)]
    world.live(50, "down")
    assert len(world.sent) == 1
    world.live(10, "down")
    assert len(world.sent) == 2
    world.live(290, "down")
    (message,) = world.store.alert_messages(limit=10)
    assert (message.state, len(message.tries)) == (MessageState.WAITING, 2)
    world.live(100, "down")
    (message,) = world.store.alert_messages(limit=10)
    assert (message.state, [one.status for one in message.tries]) == (MessageState.DELIVERED, [500, 429, 200])
    assert len(set(world.ids)) == 1


def test_quiet_hours_end_with_one_digest_and_what_is_critical_passes() -> None:
    quiet = QuietHours("12:00", "13:00", "UTC")
    world = World(replace(HOOK, quiet=quiet))
    world.store.record_gaps(BTC, M1, [Span(NOON - MINUTE, NOON)], cause="scan", found_at=NOON - 10 * MINUTE)
    world.live(240)
    assert world.sent == []
    world.live(240, "down")
    assert ("feed.down", "firing") in world.statuses
    world.clock.advance(NOON + HOUR - world.clock.now())
    world.live(20)
    digests = [body for _, body in world.sent if body["type"] == "alerts.digest"]
    assert [body["data"]["type"] for body in digests] == ["gap.unrepaired"]
    held = [one for one in world.store.alert_messages(limit=100) if one.state is MessageState.DIGESTED]
    assert len(held) == 1


def test_a_sign_of_life_is_sent_once_a_day_whatever_the_severity_and_never_to_pagerduty() -> None:
    pager = Target("pager", TargetKind.PAGERDUTY, "https://pager.example/", ("key",), Severity.INFO)
    world = World(replace(HOOK, min_severity=Severity.CRITICAL), pager)
    world.live(20)
    world.clock.advance(datetime(2026, 9, 1, 8, tzinfo=UTC) - world.clock.now())
    world.live(600, step=60)
    assert [(url, body["type"]) for url, body in world.sent] == [(HOOK.url, "alerts.heartbeat")]
    assert world.sent[0][1]["context"] == {"firing": 0, "feeds": {"coinbase": "live"}}


def test_the_target_of_the_settings_is_known_to_the_store_without_its_address() -> None:
    environment = replace(HOOK, name="environment", url="https://secret.example/T0")
    world = World(environment=environment)
    world.live(60, "down")
    assert [url for url, _ in world.sent] == [environment.url]
    (stored,) = world.store.alert_desk(now=NOON).targets
    assert (stored.name, stored.secrets) == ("environment", ())
    assert "secret" not in stored.url
    world.settings = AlertSettings(RaiseSettings(None, periods={}))
    world.run()
    assert world.store.alert_desk(now=NOON).targets == ()


def test_another_address_than_the_one_that_was_disabled_is_enabled() -> None:
    environment = replace(HOOK, name="environment", url="https://old.example/")
    world = World(environment=environment)
    world.answers[environment.url] = [WebhookAnswer(410, "HTTP 410")]
    world.live(60, "down")
    assert [one.enabled for one in world.store.alert_desk(now=NOON).targets] == [False]
    world.run()
    assert [one.enabled for one in world.store.alert_desk(now=NOON).targets] == [False]
    world.settings = AlertSettings(RaiseSettings(replace(environment, url="https://new.example/"), periods={}))
    world.run()
    assert [one.enabled for one in world.store.alert_desk(now=NOON).targets] == [True]


def test_a_user_s_rule_fires_past_its_bound_and_is_over_behind_the_other() -> None:
    world = World(HOOK)
    rule = MarketRule(
        "dear",
        MarketRuleKind.PRICE_CROSSES,
        "coinbase",
        "BTC-USD",
        Decimal(100),
        Decimal(98),
        Direction.ABOVE,
        "",
        Severity.INFO,
        0,
    )
    world.store.put_market_rule(rule)
    for price in ("99", "100", "99", "97"):
        world.store.put_candles([candle(M1.floor(world.clock.now()), price=price)])
        world.live(120, step=20)
        world.clock.advance(4 * MINUTE)
    assert [status for _, status in world.statuses] == ["firing", "resolved"]
    assert world.sent[0][1]["data"]["context"]["name"] == "dear"


def test_a_rule_that_is_removed_is_over() -> None:
    world = World(HOOK)
    world.store.put_market_rule(
        MarketRule("dear", MarketRuleKind.PRICE_CROSSES, "coinbase", "BTC-USD", Decimal(1), Decimal(1))
    )
    world.store.put_candles([candle(M1.floor(NOON))])
    world.live(30)
    world.store.remove_market_rule("dear")
    world.live(20)
    assert [one.state for one in world.store.find_alerts(AlertQuestion())] == [AlertState.RESOLVED]


def test_a_job_that_fails_three_times_is_told_of() -> None:
    world = World(HOOK)
    world.settings = AlertSettings(RaiseSettings(periods={"gap_scan": 5 * MINUTE}))
    for place in range(3):
        run = world.store.start_run("gap_scan", worker=f"w{place}", now=NOON, lease_seconds=60, trigger="schedule")
        world.store.finish_run(run, now=NOON, state=RunState.FAILED, result={}, error="the exchange said no")
    world.live(200)
    assert world.statuses == [("job.failing", "firing")]
    assert world.sent[0][1]["data"]["context"]["reason"] == "the exchange said no"


def test_when_nothing_changes_nothing_is_written() -> None:
    world = World(HOOK)
    world.live(60)
    version = world.store.alert_desk(now=NOON).version
    world.live(60)
    assert world.store.alert_desk(now=NOON).version == version


class AwayStore(MemoryStore):
    """A store that can be away."""

    away = False

    def alert_desk(self, *, now: datetime) -> AlertDesk:
        if self.away:
            raise StoreError("alert_desk", "ConnectError: https://secret.example refused")
        return super().alert_desk(now=now)


def test_a_store_that_is_away_is_told_of_past_it_once_and_so_is_its_return() -> None:
    environment = replace(HOOK, name="environment")
    world = World(environment=environment)
    world.store = store = AwayStore(world.clock)
    store.away = True
    for _ in range(10):
        with pytest.raises(StoreError):
            world.run()
        world.clock.advance(10 * SECOND)
    assert world.statuses == [("store.unavailable", "firing")]
    assert "secret" not in str(world.sent)
    store.away = False
    world.run()
    world.run()
    assert world.statuses == [("store.unavailable", "firing"), ("store.unavailable", "resolved")]
    assert world.sent[-1][1]["data"]["duration_seconds"] == 100.0


def test_two_processes_that_see_the_same_outage_send_it_under_one_id() -> None:
    world = World(environment=replace(HOOK, name="environment"))
    world.store = store = AwayStore(world.clock)
    store.away = True
    others = (StoreOutage(), StoreOutage())
    for _ in range(5):
        for world.outage in others:
            with pytest.raises(StoreError):
                world.run()
        world.clock.advance(10 * SECOND)
    assert len(world.sent) == 2
    assert len(set(world.ids)) == 1


def test_a_job_looks_again_until_its_time_is_over() -> None:
    world = World(HOOK)
    settings = replace(world.settings, poll_seconds=10.0)
    waits: list[float] = []

    def pause(seconds: float) -> None:
        waits.append(seconds)
        world.clock.advance(seconds * SECOND)

    result = alerts(
        world.store,
        world.clock,
        NOON + 35 * SECOND,
        settings=settings,
        send=world.send,
        outage=world.outage,
        pause=pause,
    )
    assert waits == [10.0, 10.0, 10.0]
    assert result["evaluations"] == 4


def test_a_job_whose_process_is_about_to_end_does_not_look_again() -> None:
    world = World(HOOK)
    settings = replace(world.settings, poll_seconds=10.0)
    ending = Event()
    ending.set()
    result = alerts(
        world.store,
        world.clock,
        NOON + 35 * SECOND,
        settings=settings,
        send=world.send,
        outage=world.outage,
        pause=ending.wait,
    )
    assert result["evaluations"] == 1
