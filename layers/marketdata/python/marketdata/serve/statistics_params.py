"""Query strings to questions for statistics: /v1/roi, /v1/snapshots, /v1/comparisons."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from marketdata.errors import RequestInvalid
from marketdata.model.statistics import WINDOWS
from marketdata.model.times import rfc3339
from marketdata.serve.decimals import AsJson, as_string
from marketdata.serve.params import DECIMALS, LIMIT_DEFAULT, LIMIT_MAX, choice, given_parameters, limit_of
from marketdata.serve.request_times import boundary

VIEWS = {"latest": True, "history": False}

_OF_ALL = ("symbol", "exchange", "start", "end", "limit", "cursor", "decimals", "view")


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
    given = given_parameters(parameters, (*_OF_ALL, "window"))
    names = {window.name: window.name for window in WINDOWS}
    return _query(given, window=choice(given, "window", names, "") if "window" in given else None)


def snapshot_query(parameters: Mapping[str, str]) -> StatisticsQuery:
    """The question of /v1/snapshots. Raises: RequestInvalid naming the parameter."""
    return _query(given_parameters(parameters, _OF_ALL))


def comparison_query(parameters: Mapping[str, str]) -> StatisticsQuery:
    """The question of /v1/comparisons. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, (*_OF_ALL, "with"))
    if "with" in given and "symbol" not in given:
        raise RequestInvalid("with", "needs a symbol to compare it with")
    return _query(given, other=given.get("with"))


def _query(given: Mapping[str, str], *, window: str | None = None, other: str | None = None) -> StatisticsQuery:
    # Who names a time asks for the rows of that time, unless told otherwise.
    timed = "start" in given or "end" in given
    query = StatisticsQuery(
        symbol=given.get("symbol"),
        exchange=given.get("exchange"),
        other=other,
        window=window,
        start=boundary(given["start"], "start") if "start" in given else None,
        end=boundary(given["end"], "end") if "end" in given else None,
        latest=choice(given, "view", VIEWS, "history" if timed else "latest"),
        limit=limit_of(given, LIMIT_DEFAULT, LIMIT_MAX),
        cursor=given.get("cursor"),
        number=choice(given, "decimals", DECIMALS, "string"),
    )
    if query.start is not None and query.end is not None and query.start >= query.end:
        raise RequestInvalid("end", "must be after start; the end itself is excluded")
    return query
