"""The rules that alerts are raised by: ours, which watch the system, and users' own, which watch markets."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from marketdata.model.alert import GAP_UNRECOVERABLE, Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """What a rule's alerts have in common.

    `hold`: how long it must hold before it fires, and be gone before it is resolved. `inhibits`: while it fires of an
    exchange, alerts of that exchange's symbols are not told. `repeats`: it is told again while it fires.
    """

    name: str
    severity: Severity
    impact: str
    inhibits: bool = False
    repeats: bool = True

    @property
    def hold(self) -> timedelta:
        """Who is called out of bed is called soon; the others can wait for a passing trouble to pass."""
        return timedelta(seconds=30) if self.severity is Severity.CRITICAL else timedelta(minutes=2)

    @property
    def runbook(self) -> str:
        """The anchor of its section in docs/runbook.md."""
        return self.name.replace(".", "")


FEED_STALLED = Rule(
    "feed.stalled", Severity.CRITICAL, "No market data arrives; candles of now are late.", inhibits=True
)
FEED_DOWN = Rule("feed.down", Severity.CRITICAL, "Nobody follows the exchange; history grows holes.", inhibits=True)
GAP_UNREPAIRED = Rule("gap.unrepaired", Severity.WARNING, "History has a hole that answers say is there.")
GAP_LOST = Rule(GAP_UNRECOVERABLE, Severity.ERROR, "Some history is lost for good.", repeats=False)
COVERAGE_LOW = Rule("coverage.low", Severity.WARNING, "A day of history is less whole than promised.")
VENUE_DIVERGENCE = Rule("venue.divergence", Severity.ERROR, "Our candles say something else than the exchange's.")
CLOCK_SKEW = Rule("clock.skew", Severity.WARNING, "Ages, leases and budgets are judged by a wrong clock.")
STORE_UNAVAILABLE = Rule("store.unavailable", Severity.CRITICAL, "Nothing is saved or served; the feed spools.")
SPOOL_FILLING = Rule("spool.filling", Severity.ERROR, "The store falls behind; open candles will be dropped.")
EXCHANGE_LIMITED = Rule("exchange.limited", Severity.WARNING, "Repair and history wait; the live feed does not.")
EXCHANGE_BANNED = Rule("exchange.banned", Severity.ERROR, "The exchange answers no request from here for a while.")
JOB_MISSED = Rule("job.missed", Severity.ERROR, "Work that the clock should start is not done.")
JOB_FAILING = Rule("job.failing", Severity.ERROR, "Work that the clock starts fails each time.")
DELIVERY_FAILING = Rule("delivery.failing", Severity.ERROR, "Somebody does not hear of alerts.")

RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        FEED_STALLED,
        FEED_DOWN,
        GAP_UNREPAIRED,
        GAP_LOST,
        COVERAGE_LOW,
        VENUE_DIVERGENCE,
        CLOCK_SKEW,
        STORE_UNAVAILABLE,
        SPOOL_FILLING,
        EXCHANGE_LIMITED,
        EXCHANGE_BANNED,
        JOB_MISSED,
        JOB_FAILING,
        DELIVERY_FAILING,
    )
}
"""Our own, by name; a section of docs/runbook.md each."""

MARKET_RUNBOOK = "market-rules"
"""The anchor of the section about users' rules."""


class MarketRuleKind(StrEnum):
    """What a user's rule watches."""

    PRICE_CROSSES = "price_crosses"
    PRICE_MOVES = "price_moves"
    VOLUME_SPIKE = "volume_spike"
    ROI = "roi"
    DRAWDOWN = "drawdown"


class Direction(StrEnum):
    """On which side of its bound a rule holds; either: the amount counts, whatever its sign."""

    ABOVE = "above"
    BELOW = "below"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class MarketRule:
    """A user's rule about one market.

    `bound`: a price; a percentage that the price moves by; how many times the usual volume; a return or a drawdown in
    percent. Over `window` (`15m`, `24h`; none for a price). It has ended when the value is back behind `clear`.
    """

    name: str
    kind: MarketRuleKind
    exchange: str
    symbol: str
    bound: Decimal
    clear: Decimal
    direction: Direction = Direction.ABOVE
    window: str = ""
    severity: Severity = Severity.INFO
    hold_seconds: int = 0
    created_at: datetime | None = None

    @property
    def rule(self) -> str:
        """The rule's name in alerts."""
        return f"market.{self.kind}"
