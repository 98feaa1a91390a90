"""What may be asked of alerts: the question of /v1/alerts, and its parameters."""

from collections.abc import Mapping
from dataclasses import dataclass

from marketdata.model.alert import AlertState, Severity
from marketdata.serve.parameter import Choices, Text, given_parameters
from marketdata.serve.parameters import CURSOR, EXCHANGE, SHORT_LIMIT, SHORT_LIMIT_DEFAULT, SYMBOL

ALERT_STATES: Choices[AlertState] = Choices(
    "state",
    "States of alerts, with commas between them.",
    aliases=("states", "status"),
    values={**{state.value: (state,) for state in AlertState}, "all": tuple(AlertState)},
    default="all",
)
SEVERITIES: Choices[Severity] = Choices(
    "severity",
    "Severities, with commas between them.",
    values={**{one.value: (one,) for one in Severity}, "all": tuple(Severity)},
    default="all",
)
RULE = Text("rule", "The name of a rule; without it, every rule.", aliases=("type",), example="feed.down")

ALERTS = (ALERT_STATES, SEVERITIES, RULE, EXCHANGE, SYMBOL, SHORT_LIMIT, CURSOR)


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """A question for alerts, newest first; None asks for every rule, exchange or symbol."""

    states: tuple[AlertState, ...] = tuple(AlertState)
    severities: tuple[Severity, ...] = tuple(Severity)
    rule: str | None = None
    exchange: str | None = None
    symbol: str | None = None
    limit: int = SHORT_LIMIT_DEFAULT
    cursor: str | None = None

    def question(self, exchange: str | None, symbol: str | None) -> str:
        """What is asked, in one spelling: what a cursor is bound to."""
        named = (self.rule or "", exchange or "", symbol or "")
        return "\n".join(("alerts", *named, *self.states, "", *self.severities))


def alert_query(parameters: Mapping[str, str]) -> AlertQuery:
    """The question of /v1/alerts. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, ALERTS)
    return AlertQuery(
        states=ALERT_STATES.of(given),
        severities=SEVERITIES.of(given),
        rule=RULE.of(given),
        exchange=EXCHANGE.of(given),
        symbol=SYMBOL.of(given),
        limit=SHORT_LIMIT.of(given),
        cursor=CURSOR.of(given),
    )
