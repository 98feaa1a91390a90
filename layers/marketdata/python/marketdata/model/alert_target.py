"""Whom alerts are sent to, and when nobody is to be woken."""

from dataclasses import dataclass, field
from enum import StrEnum

from marketdata.model.alert import Severity

ENVIRONMENT = "environment"
"""The target that the settings name (ALERT_WEBHOOK_URL)."""


class TargetKind(StrEnum):
    """What a target understands; serve/alert_shapes.py has each one's shape."""

    GENERIC = "generic"
    SIMPLE = "simple"
    SLACK = "slack"
    DISCORD = "discord"
    TEAMS = "teams"
    PAGERDUTY = "pagerduty"

    @property
    def one_by_one(self) -> bool:
        """Whether it is told of one alert at a time, in order: PagerDuty opens and closes an incident of each."""
        return self is TargetKind.PAGERDUTY


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Daily from `start` to `end` (`22:00`, `07:00`) on the clocks of an IANA zone only what is critical is sent."""

    start: str
    end: str
    zone: str


@dataclass(frozen=True, slots=True)
class Target:
    """One receiver. `url` and `secrets` are secret: never logged, never answered.

    The newest of the `secrets` signs, and so do the older ones while receivers change over. Of PagerDuty the first is
    the routing key. A target that is not `enabled` keeps its messages, and says why.
    """

    name: str
    kind: TargetKind
    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    min_severity: Severity = Severity.WARNING
    quiet: QuietHours | None = None
    enabled: bool = True
    disabled_reason: str = ""
