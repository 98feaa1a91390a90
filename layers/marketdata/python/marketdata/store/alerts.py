"""What a store knows of alerts beyond the list of them: the desk that an evaluation works at. See alert_store."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from marketdata.compute.alert_machine import Flapped, Resolved
from marketdata.model.alert import Alert, AlertState, Severity, Told
from marketdata.model.alert_book import Book
from marketdata.model.alert_message import AlertMessage, Silence, TargetTrouble
from marketdata.model.alert_rule import MarketRule
from marketdata.model.alert_target import Target


@dataclass(frozen=True, slots=True)
class AlertDesk:
    """One moment: the book at `version`, alerts that fire or lag, and whoever is to be told of what.

    `held`: messages kept back by quiet hours that are over. `troubles`: targets that do not hear.
    """

    version: int = 0
    book: Book = field(default_factory=Book)
    alerts: tuple[Alert, ...] = ()
    targets: tuple[Target, ...] = ()
    rules: tuple[MarketRule, ...] = ()
    silences: tuple[Silence, ...] = ()
    held: tuple[AlertMessage, ...] = ()
    troubles: tuple[TargetTrouble, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertChanges:
    """What one evaluation decided. `told` pairs alerts' ids with what is told of them by `messages`."""

    book: Book
    fired: tuple[Alert, ...] = ()
    resolved: tuple[Resolved, ...] = ()
    flapped: tuple[Flapped, ...] = ()
    told: tuple[tuple[UUID, Told], ...] = ()
    messages: tuple[AlertMessage, ...] = ()
    digested: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertQuestion:
    """Alerts numbered below `before`, newest first; None asks for all."""

    states: tuple[AlertState, ...] | None = None
    severities: tuple[Severity, ...] | None = None
    rule: str | None = None
    exchange: str | None = None
    symbol: str | None = None
    before: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class MissedHistory:
    """What became of the gaps of a time: minutes filled or found empty; the first ten spans lost and still wanted."""

    minutes: int = 0
    lost: tuple[tuple[str, datetime, datetime], ...] = ()
    waiting: tuple[tuple[str, datetime, datetime], ...] = ()
