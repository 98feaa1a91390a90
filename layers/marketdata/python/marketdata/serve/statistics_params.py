"""Query strings to questions for statistics: /v1/roi, /v1/snapshots, /v1/comparisons."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from marketdata.errors import RequestInvalid
from marketdata.model.times import rfc3339
from marketdata.model.windows import WINDOWS
from marketdata.serve.decimals import AsJson, as_string
from marketdata.serve.parameter import Choice, Text, given_parameters, in_order
from marketdata.serve.parameters import CURSOR, DECIMALS, END, EXCHANGE, LIMIT, LIMIT_DEFAULT, START, SYMBOL

VIEW = Choice(
    "view",
    "The newest of each alone, or all; without it the newest, unless a start or an end is given.",
    values={"latest": True, "history": False},
)
WINDOW = Choice(
    "window",
    "The time that a statistic is about; without it, every one.",
    aliases=("period",),
    values={window.name: window.name for window in WINDOWS},
)
WITH = Text("with", "The other symbol of a comparison with `symbol`.", aliases=("other",), example="ETH-USD")

SNAPSHOTS = (SYMBOL, EXCHANGE, START, END, LIMIT, CURSOR, DECIMALS, VIEW)
ROI = (*SNAPSHOTS, WINDOW)
COMPARISONS = (*SNAPSHOTS, WITH)


@dataclass(frozen=True, slots=True)
class StatisticsQuery:
    """A question for rows with `start <= as_of < end`; None asks for every market, window or time.

    `latest`: the newest of each alone. `other`: of comparisons those of `symbol` with it. `number` writes decimals.
    """

    symbol: str | None = None
    exchange: str | None = None
    other: str | None = None
    window: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    latest: bool = True
    limit: int = LIMIT_DEFAULT
    cursor: str | None = None
    number: AsJson = as_string

    def question(self, kind: str, keys: object) -> str:
        """What is asked, in one spelling: what a cursor is bound to."""
        start, end = (rfc3339(time) if time else "" for time in (self.start, self.end))
        return "\n".join((kind, repr(keys), self.window or "", start, end, str(self.latest)))


def roi_query(parameters: Mapping[str, str]) -> StatisticsQuery:
    """The question of /v1/roi. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, ROI)
    return _query(given, window=WINDOW.of(given) if WINDOW.name in given else None)


def snapshot_query(parameters: Mapping[str, str]) -> StatisticsQuery:
    """The question of /v1/snapshots. Raises: RequestInvalid naming the parameter."""
    return _query(given_parameters(parameters, SNAPSHOTS))


def comparison_query(parameters: Mapping[str, str]) -> StatisticsQuery:
    """The question of /v1/comparisons. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, COMPARISONS)
    if WITH.name in given and SYMBOL.name not in given:
        raise RequestInvalid("with", "needs a symbol to compare it with")
    return _query(given, other=WITH.of(given))


def _query(given: Mapping[str, str], *, window: str | None = None, other: str | None = None) -> StatisticsQuery:
    # Who names a time asks for the rows of that time, unless told otherwise.
    timed = "start" in given or "end" in given
    query = StatisticsQuery(
        symbol=SYMBOL.of(given),
        exchange=EXCHANGE.of(given),
        other=other,
        window=window,
        start=START.of(given),
        end=END.of(given),
        latest=VIEW.of(given, "history" if timed else "latest"),
        limit=LIMIT.of(given),
        cursor=CURSOR.of(given),
        number=DECIMALS.of(given),
    )
    in_order(query.start, query.end)
    return query
