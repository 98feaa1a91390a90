"""What is watched on AWS: each alarm, when it rings, and where its reader is sent. Plain numbers; no construction kit.

`name` is also the section of docs/runbook-aws.md. Metrics of ours have no dimension but the service: one for each
symbol would be a metric to pay for.
"""

from dataclasses import dataclass

NAMESPACE = "MarketDataEngine"
SERVICE = "marketdata"


@dataclass(frozen=True, slots=True)
class OwnAlarm:
    """An alarm on a metric that we write ourselves: rings over `above` in `minutes_bad` of `minutes_seen` minutes.

    `silence_rings`: no metric is as bad as a bad one, which is how a dead feed is noticed from outside.
    """

    name: str
    metric: str
    above: float
    sentence: str
    minutes_seen: int = 3
    minutes_bad: int = 2
    silence_rings: bool = False


OWN_ALARMS: tuple[OwnAlarm, ...] = (
    OwnAlarm(
        "feed-age",
        "FeedAgeSeconds",
        above=120,  # twice the minute in which the feed says how it is; heartbeats come every few seconds
        minutes_seen=5,
        minutes_bad=3,
        silence_rings=True,
        sentence="The feed has heard nothing from an exchange for two minutes, or says nothing itself.",
    ),
    OwnAlarm(
        "spool",
        "FeedSpooled",
        above=25_000,  # half of what may wait before the oldest open candles are dropped
        sentence="The store does not take candles: half of what the feed can hold is waiting.",
    ),
    OwnAlarm(
        "gap-age",
        "gap_scan_unresolved_seconds",
        above=3_600,  # an hour: long gaps are filled at the exchange's pace
        minutes_seen=30,
        minutes_bad=3,  # told every five minutes
        sentence="A hole of the last day has been open for an hour.",
    ),
)

JOB_ERRORS = "job-failures"
DEAD_LETTERS = "dead-letters"
API_ERRORS = "api-errors"
NAMES = (*(alarm.name for alarm in OWN_ALARMS), JOB_ERRORS, DEAD_LETTERS, API_ERRORS)
