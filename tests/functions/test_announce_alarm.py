"""An alarm of CloudWatch reaches the alert webhook, signed, once under one id, with its runbook."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from marketdata.errors import RemoteUnavailable, RequestInvalid
from marketdata.serve.cloud_alarm import alarm_notice

from functions.announce_alarm.handler import handler
from tests.functions.calls import ENVIRONMENT, context
from tests.webhook_receiver import Receiver, Reply

EVENT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "functions/announce_alarm/event.json").read_text())


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with Receiver() as listening:
        local = {"MARKETDATA_LOCAL": "1", "ALERT_ALLOW_LOCAL": "1", "ALERT_WEBHOOK_URL": f"{listening.url}/hook"}
        for name, value in {**ENVIRONMENT, **local}.items():
            monkeypatch.setenv(name, value)
        yield listening


def over() -> dict[str, Any]:
    """The event of the alarm's end."""
    event = json.loads(json.dumps(EVENT))
    sns = event["Records"][0]["Sns"]
    sns["Message"] = json.dumps({**json.loads(sns["Message"]), "NewStateValue": "OK"})
    found: dict[str, Any] = event
    return found


def test_an_alarm_is_told_with_its_runbook_and_signed(receiver: Receiver) -> None:
    assert handler(EVENT, context())["announced"] == 1
    (told,) = receiver.received
    assert told.json["message"].startswith("[FIRING] MarketData-feed-age: The feed has heard nothing")
    assert told.json["context"]["runbook"] == "docs/runbook-aws.md#feed-age"
    assert told.headers["webhook-signature"].startswith("v1,")


def test_an_alarm_that_is_delivered_twice_has_one_id(receiver: Receiver) -> None:
    handler(EVENT, context())
    handler(EVENT, context())
    assert len({one.id for one in receiver.received}) == 1


def test_the_end_of_an_alarm_is_told_too(receiver: Receiver) -> None:
    handler(over(), context())
    assert receiver.received[0].json["message"].startswith("[RESOLVED]")
    assert receiver.received[0].json["context"]["status"] == "resolved"


def test_a_notice_that_is_not_taken_fails_to_be_tried_again(receiver: Receiver) -> None:
    receiver.replies = lambda _: Reply(503)
    with pytest.raises(RemoteUnavailable):
        handler(EVENT, context())


def test_without_a_webhook_it_says_so(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALERT_WEBHOOK_URL")
    assert handler(EVENT, context()) == {"status": "success", "announced": 0}


def test_what_is_no_alarm_is_refused() -> None:
    with pytest.raises(RequestInvalid, match="not an alarm"):
        alarm_notice({"Sns": {"MessageId": "1", "Message": "hello"}})
