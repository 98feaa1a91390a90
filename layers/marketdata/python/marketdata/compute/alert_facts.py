"""What the rules of alerts judge: the state of the system at one time, as jobs/gather_facts finds it in the store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from marketdata.model.alert_book import DayShare
from marketdata.model.alert_message import TargetTrouble
from marketdata.model.budget import ExchangeLimit
from marketdata.model.instrument import Instrument
from marketdata.model.job_run import JobRun


@dataclass(frozen=True, slots=True)
class FeedFact:
    """What the newest feed of an exchange last said. `stored_at` is the store's clock when it said so."""

    exchange: str
    state: str
    started_at: datetime
    updated_at: datetime
    last_message_at: datetime | None = None
    stored_at: datetime | None = None
    spooled: int = 0
    spool_max: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class GapFact:
    """The gaps of one instrument that are not repaired yet, since `oldest`; ordered history is not counted."""

    exchange: str
    symbol: str
    gaps: int
    minutes: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that our own rules judge. `periods`: how often each scheduled job is to run."""

    now: datetime
    instruments: tuple[Instrument, ...] = ()
    feeds: tuple[FeedFact, ...] = ()
    gaps: tuple[GapFact, ...] = ()
    shares: tuple[DayShare, ...] = ()
    limits: tuple[ExchangeLimit, ...] = ()
    runs: Mapping[str, tuple[JobRun, ...]] = field(default_factory=dict)
    """The newest runs of each job, newest first."""
    periods: Mapping[str, timedelta] = field(default_factory=dict)
    troubles: tuple[TargetTrouble, ...] = ()
