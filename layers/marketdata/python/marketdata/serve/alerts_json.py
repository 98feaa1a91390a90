"""Alerts and their deliveries as clients hear them: the records of /v1/alerts. No address, no key."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from marketdata.model.alert import Alert, AlertState
from marketdata.model.alert_message import AlertMessage
from marketdata.model.times import rfc3339
from marketdata.serve.json_types import Instant


class TryRecord(msgspec.Struct, frozen=True):
    """One attempt: `status` is the receiver's HTTP status, null if it did not answer; `error` says why it failed."""

    attempt: int
    at: Instant
    status: int | None
    error: str
    seconds: float


class DeliveryRecord(msgspec.Struct, frozen=True):
    """A message to one target that tells of the alert. `id` is its webhook-id; `next_at` when it is tried again."""

    id: str
    target: str
    state: str
    created_at: Instant
    next_at: Instant | None
    delivered_at: Instant | None
    tries: list[TryRecord]


class AlertRecord(msgspec.Struct, frozen=True):
    """It held since `started_at`, fired at `created_at`, and no longer held at `resolved_at`.

    `told`: the last that targets were told: firing, flapping, resolved; silenced if it ended unheard.
    """

    id: str
    rule: str
    dedup_key: str
    severity: str
    state: str
    flapping: bool
    summary: str
    exchange: str | None
    symbol: str | None
    timeframe: str | None
    started_at: Instant
    created_at: Instant
    resolved_at: Instant | None
    seconds: float | None
    context: Mapping[str, Any]
    told: str | None
    told_at: Instant | None
    deliveries: list[DeliveryRecord]


class AlertsMeta(msgspec.Struct, frozen=True):
    as_of: Instant


class Alerts(msgspec.Struct, frozen=True):
    data: list[AlertRecord]
    next_cursor: str | None
    meta: AlertsMeta


def alerts_body(
    alerts: Sequence[Alert], messages: Collection[AlertMessage], next_cursor: str | None, as_of: datetime
) -> str:
    """The whole answer of /v1/alerts."""
    records = _records(alerts, messages)
    return msgspec.json.encode(Alerts(records, next_cursor, AlertsMeta(rfc3339(as_of)))).decode()


def alert_documents(alerts: Sequence[Alert], messages: Collection[AlertMessage]) -> list[bytes]:
    """Each record as the live stream tells it, in the order of `alerts`."""
    return [msgspec.json.encode(record) for record in _records(alerts, messages)]


def _records(alerts: Sequence[Alert], messages: Collection[AlertMessage]) -> list[AlertRecord]:
    about: dict[str, list[AlertMessage]] = {}
    for message in messages:
        for told in message.notice["alerts"]:
            about.setdefault(told["alert_id"], []).append(message)
    return [_record(alert, about.get(str(alert.id), ())) for alert in alerts]


def _record(alert: Alert, messages: Sequence[AlertMessage]) -> AlertRecord:
    ended = alert.resolved_at if alert.state is AlertState.RESOLVED else None
    return AlertRecord(
        id=str(alert.id),
        rule=alert.rule,
        dedup_key=alert.dedup_key,
        severity=alert.severity.value,
        state=alert.state.value,
        flapping=alert.flapping,
        summary=alert.summary,
        exchange=alert.exchange,
        symbol=alert.symbol,
        timeframe=alert.timeframe.name if alert.timeframe else None,
        started_at=rfc3339(alert.began),
        created_at=rfc3339(alert.created_at),
        resolved_at=_time(ended),
        seconds=(ended - alert.began).total_seconds() if ended else None,
        context=alert.context,
        told=alert.told.value if alert.told else None,
        told_at=_time(alert.told_at),
        deliveries=[_delivery(one) for one in messages],
    )


def _delivery(message: AlertMessage) -> DeliveryRecord:
    waits = message.state in ("waiting", "held")
    return DeliveryRecord(
        id=f"msg_{message.id.hex}",
        target=message.target,
        state=message.state.value,
        created_at=rfc3339(message.created_at),
        next_at=rfc3339(message.next_at) if waits else None,
        delivered_at=_time(message.delivered_at),
        tries=[TryRecord(one.attempt, rfc3339(one.at), one.status, one.error, one.seconds) for one in message.tries],
    )


def _time(time: datetime | None) -> str | None:
    return rfc3339(time) if time else None
