"""Each target's payload: received by a real server, held to the shape that its service documents, and signed."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from marketdata.jobs.deliver_alerts import post, webhook_id
from marketdata.model.alert import Alert, AlertState, Severity
from marketdata.model.alert_message import AlertMessage
from marketdata.model.alert_target import Target, TargetKind
from marketdata.net.webhook import Webhooks
from marketdata.serve.alert_notice import (
    Notice,
    NoticeWords,
    Recovery,
    alerts_notice,
    digest_notice,
    heartbeat_notice,
    trial_notice,
)
from standardwebhooks import Webhook, WebhookVerificationError

from tests.webhook_receiver import Received, Receiver

NOW = datetime.now(UTC).replace(microsecond=0)
OLD, NEW = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
WORDS = NoticeWords("https://example.com/runbook")
Check = Callable[[Any], None]


def alert(number: int = 1, **changes: Any) -> Alert:
    """A feed that is down."""
    whole: dict[str, Any] = {
        "id": UUID(int=number),
        "dedup_key": f"coinbase:feed.down:{number}",
        "rule": "feed.down",
        "severity": Severity.CRITICAL,
        "state": AlertState.FIRING,
        "summary": "coinbase: the feed is not connected <@everyone> & more",
        "created_at": NOW,
        "exchange": "coinbase",
        "context": {"value": 47.2, "threshold": 30.0, "reason": "DNS"},
        "started_at": NOW - timedelta(seconds=47),
    }
    return Alert(**(whole | changes))


def ended() -> Alert:
    return alert(2, state=AlertState.RESOLVED, resolved_at=NOW + timedelta(minutes=12))


def longest() -> list[Alert]:
    """As many and as long as a message may be told of."""
    context = {f"name {place}": "x" * 200 for place in range(80)}
    return [alert(place, summary="€" * 300, dedup_key="k" * 255, context=context) for place in range(8)]


NOTICES: dict[str, Notice] = {
    "one": alerts_notice([alert()], NOW, WORDS),
    "ended": alerts_notice([ended()], NOW, NoticeWords(recoveries={str(UUID(int=2)): Recovery(12)})),
    "several": alerts_notice([alert(), ended()], NOW, WORDS),
    "longest": alerts_notice(longest(), NOW, WORDS),
    "digest": digest_notice([alerts_notice([alert()], NOW, WORDS), alerts_notice([ended()], NOW, WORDS)], NOW),
    "heartbeat": heartbeat_notice(0, {"coinbase": "live"}, NOW),
    "test": trial_notice(NOW),
}


def a_text(value: Any, most: int) -> None:
    assert isinstance(value, str)
    assert 1 <= len(value) <= most


def check_generic(body: Any) -> None:
    """Standard Webhooks: a full-stop delimited type, a time, data; and seed's names at the top."""
    a_text(body["type"], 100)
    assert "." in body["type"]
    assert datetime.fromisoformat(body["timestamp"]).tzinfo
    assert isinstance(body["data"], dict)
    check_simple(body)


def check_simple(body: Any) -> None:
    assert body["severity"] in {"info", "warning", "error", "critical"}
    a_text(body["message"], 2_000)
    assert isinstance(body["context"], dict)


def check_slack(body: Any) -> None:
    """https://docs.slack.dev/reference/block-kit/blocks: 50 blocks, header 150, section text 3,000."""
    a_text(body["text"], 40_000)
    assert 1 <= len(body["blocks"]) <= 50
    for block in body["blocks"]:
        if block["type"] == "header":
            assert block["text"]["type"] == "plain_text"
            a_text(block["text"]["text"], 150)
        elif block["type"] == "section":
            assert block["text"]["type"] == "mrkdwn"
            a_text(block["text"]["text"], 3_000)
            assert "<@" not in block["text"]["text"]
        else:
            assert block["type"] == "context"
            assert 1 <= len(block["elements"]) <= 10


def check_discord(body: Any) -> None:
    """https://discord.com/developers/docs/resources/message: content 2,000, 10 embeds, 6,000 characters in all."""
    a_text(body["content"], 2_000)
    assert len(body["embeds"]) <= 10
    assert body["allowed_mentions"] == {"parse": []}
    for embed in body["embeds"]:
        a_text(embed["title"], 256)
        a_text(embed["description"], 4_096)
        assert 0 <= embed["color"] <= 0xFFFFFF
        assert datetime.fromisoformat(embed["timestamp"])
    assert sum(len(one["title"]) + len(one["description"]) for one in body["embeds"]) <= 6_000


def check_teams(body: Any) -> None:
    """A Workflow's "when a Teams webhook request is received": a message with Adaptive Cards; 28 kB."""
    assert body["type"] == "message"
    (attachment,) = body["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    for block in card["body"]:
        assert block["type"] == "TextBlock"
        a_text(block["text"], 1_000)
        assert block["color"] in {"Default", "Dark", "Light", "Accent", "Good", "Warning", "Attention"}
    assert len(json.dumps(body, ensure_ascii=False).encode()) <= 28_000


def check_pagerduty(body: Any) -> None:
    """https://developer.pagerduty.com/docs/send-alert-event."""
    a_text(body["routing_key"], 64)
    assert body["event_action"] in {"trigger", "acknowledge", "resolve"}
    a_text(body["dedup_key"], 255)
    a_text(body["payload"]["summary"], 1_024)
    a_text(body["payload"]["source"], 255)
    assert body["payload"]["severity"] in {"critical", "error", "warning", "info"}
    assert datetime.fromisoformat(body["payload"]["timestamp"])


CHECKS: dict[TargetKind, Check] = {
    TargetKind.GENERIC: check_generic,
    TargetKind.SIMPLE: check_simple,
    TargetKind.SLACK: check_slack,
    TargetKind.DISCORD: check_discord,
    TargetKind.TEAMS: check_teams,
    TargetKind.PAGERDUTY: check_pagerduty,
}


def message(notice: Notice) -> AlertMessage:
    return AlertMessage(UUID(int=9), "t", notice, Severity(notice["severity"]), NOW, NOW)


def received(kind: TargetKind, notice: Notice, *secrets: str) -> Received:
    """What a receiver gets."""
    with Receiver() as receiver:
        target = Target("t", kind, receiver.url, secrets or (NEW, OLD))
        # Receivers refuse what is minutes old, and this module may have been loaded long ago.
        assert post(message(notice), target, datetime.now(UTC), Webhooks(allow_local=True).post).delivered
        (one,) = receiver.received
        return one


@pytest.mark.parametrize("name", NOTICES)
@pytest.mark.parametrize("kind", TargetKind, ids=lambda kind: kind.value)
def test_each_target_gets_the_shape_that_it_documents_within_its_limits(kind: TargetKind, name: str) -> None:
    got = received(kind, NOTICES[name])
    assert got.headers["content-type"] == "application/json"
    CHECKS[kind](got.json)
    assert len(got.body) <= 20_000 or kind is not TargetKind.GENERIC


@pytest.mark.parametrize("kind", [TargetKind.GENERIC, TargetKind.SIMPLE], ids=lambda kind: kind.value)
@pytest.mark.parametrize("secret", [OLD, NEW])
def test_the_public_library_verifies_the_signature_with_either_key_while_keys_rotate(
    kind: TargetKind, secret: str
) -> None:
    got = received(kind, NOTICES["one"])
    assert got.id == webhook_id(message(NOTICES["one"]))
    assert Webhook(secret).verify(got.body, dict(got.headers)) == got.json


def test_the_public_library_refuses_what_was_changed_on_the_way_or_signed_by_another() -> None:
    got = received(TargetKind.GENERIC, NOTICES["one"])
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(got.body + b" ", dict(got.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(got.body, dict(got.headers) | {"webhook-id": "msg_another"})
    alone = received(TargetKind.GENERIC, NOTICES["one"], NEW)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(alone.body, dict(alone.headers))


@pytest.mark.parametrize("secrets", [(), ("whsec_short",), ("not base64!",)])
def test_nothing_is_sent_unsigned(secrets: tuple[str, ...]) -> None:
    with Receiver() as receiver:
        target = Target("t", TargetKind.GENERIC, receiver.url, secrets)
        answer = post(message(NOTICES["one"]), target, NOW, Webhooks(allow_local=True).post)
        assert not answer.delivered
        assert receiver.received == []
    assert not any(secret in answer.error for secret in secrets)


def test_the_generic_body_is_what_the_page_says() -> None:
    body = received(TargetKind.GENERIC, NOTICES["one"]).json
    assert body["type"] == "feed.down"
    assert body["data"]["status"] == "firing"
    assert body["data"]["dedup_key"] == "coinbase:feed.down:1"
    assert (body["data"]["value"], body["data"]["threshold"]) == (47.2, 30.0)
    assert body["data"]["runbook"] == "https://example.com/runbook#feeddown"
    assert body["severity"] == "critical"
    assert body["context"]["alert_id"] == str(UUID(int=1))


def test_an_end_says_how_long_it_took_and_what_was_refilled() -> None:
    body = received(TargetKind.SIMPLE, NOTICES["ended"]).json
    assert body["message"].endswith("over after 12 min; 12 minutes refilled, 0 lost")
    lost = Recovery(3, ("BTC-USD a..b",), ("ETH-USD c..d",))
    assert lost.summary == "3 minutes refilled, lost: BTC-USD a..b, still to be fetched: ETH-USD c..d"


def test_pagerduty_closes_an_incident_by_the_key_that_opened_it() -> None:
    opened = received(TargetKind.PAGERDUTY, NOTICES["one"], "routing").json
    over = alert(state=AlertState.RESOLVED, resolved_at=NOW)
    closed = received(TargetKind.PAGERDUTY, alerts_notice([over], NOW, WORDS), "routing").json
    assert (opened["event_action"], closed["event_action"]) == ("trigger", "resolve")
    assert opened["dedup_key"] == closed["dedup_key"]
    assert opened["routing_key"] == "routing"


def test_a_digest_has_the_last_word_on_each_alert_once() -> None:
    over = alert(state=AlertState.RESOLVED, resolved_at=NOW)
    notices = [alerts_notice([one], NOW, WORDS) for one in (alert(), over, alert(3))]
    assert [(one["alert_id"], one["status"]) for one in digest_notice(notices, NOW)["alerts"]] == [
        (str(UUID(int=1)), "resolved"),
        (str(UUID(int=3)), "firing"),
    ]
