"""Alerts, as the service tells them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from marketdata_client.candles import moment


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that somebody should know: `state` is firing or resolved; `flapping` if it comes and goes.

    It held since `started_at`, fired at `created_at` and no longer held at `resolved_at`. `exchange` and `symbol` are
    None where it is not about one. `context` has the measured values, `deliveries` who was told, as they came.
    """

    id: str
    rule: str
    severity: str
    state: str
    summary: str
    exchange: str | None
    symbol: str | None
    started_at: datetime
    created_at: datetime
    resolved_at: datetime | None
    flapping: bool = False
    context: Mapping[str, Any] = field(default_factory=dict)
    deliveries: Sequence[Mapping[str, Any]] = ()


def alert_of(record: Mapping[str, Any]) -> Alert:
    """The alert of a JSON record; fields that a newer service adds are left out."""
    ended = record["resolved_at"]
    return Alert(
        id=record["id"],
        rule=record["rule"],
        severity=record["severity"],
        state=record["state"],
        summary=record["summary"],
        exchange=record["exchange"],
        symbol=record["symbol"],
        started_at=moment(record["started_at"]),
        created_at=moment(record["created_at"]),
        resolved_at=None if ended is None else moment(ended),
        flapping=record["flapping"],
        context=record["context"],
        deliveries=tuple(record["deliveries"]),
    )
