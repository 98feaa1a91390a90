"""Query strings of /v1/ticks/{symbol} and its history to questions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from marketdata.errors import RequestInvalid
from marketdata.model.instrument import Instrument
from marketdata.model.timeframe import M1, TIMEFRAMES, Timeframe
from marketdata.model.times import rfc3339
from marketdata.serve.decimals import AsJson, as_string
from marketdata.serve.params import DECIMALS, choice, given_parameters, limit_of
from marketdata.serve.request_times import boundary

TICKS_LIMIT_DEFAULT = 100
TICKS_LIMIT_MAX = 1_000
HISTORY_LIMIT_DEFAULT = 100
HISTORY_LIMIT_MAX = 1_000
VIEWS: dict[str, Timeframe] = {f"ohlc{timeframe.name}": timeframe for timeframe in TIMEFRAMES}

_OF_TICKS = ("exchange", "start", "end", "limit", "order", "cursor", "decimals")
_OF_HISTORY = ("exchange", "view", "limit", "decimals")
_ORDERS = {"asc": False, "desc": True}


@dataclass(frozen=True, slots=True)
class TickQuery:
    """A question for ticks with `start <= time < end`, the newest first unless said otherwise."""

    symbol: str
    exchange: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    limit: int = TICKS_LIMIT_DEFAULT
    newest_first: bool = True
    cursor: str | None = None
    number: AsJson = as_string

    def question(self, instrument: Instrument) -> str:
        """What is asked, in one spelling: what a cursor is bound to."""
        start, end = (rfc3339(time) if time else "" for time in (self.start, self.end))
        return "\n".join(("ticks", *instrument.key, start, end, "desc" if self.newest_first else "asc"))


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """A question for the newest `limit` candles, with the mean of ten closes."""

    symbol: str
    exchange: str | None = None
    timeframe: Timeframe = M1
    limit: int = HISTORY_LIMIT_DEFAULT
    number: AsJson = as_string


def tick_query(symbol: str, parameters: Mapping[str, str]) -> TickQuery:
    """The question of /v1/ticks/{symbol}. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, _OF_TICKS)
    query = TickQuery(
        symbol=symbol,
        exchange=given.get("exchange"),
        start=boundary(given["start"], "start") if "start" in given else None,
        end=boundary(given["end"], "end") if "end" in given else None,
        limit=limit_of(given, TICKS_LIMIT_DEFAULT, TICKS_LIMIT_MAX),
        newest_first=choice(given, "order", _ORDERS, "desc"),
        cursor=given.get("cursor"),
        number=choice(given, "decimals", DECIMALS, "string"),
    )
    if query.start is not None and query.end is not None and query.start >= query.end:
        raise RequestInvalid("end", "must be after start; the end itself is excluded")
    return query


def history_query(symbol: str, parameters: Mapping[str, str]) -> HistoryQuery:
    """The question of /v1/ticks/{symbol}/history. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, _OF_HISTORY)
    return HistoryQuery(
        symbol=symbol,
        exchange=given.get("exchange"),
        timeframe=choice(given, "view", VIEWS, f"ohlc{M1.name}"),
        limit=limit_of(given, HISTORY_LIMIT_DEFAULT, HISTORY_LIMIT_MAX),
        number=choice(given, "decimals", DECIMALS, "string"),
    )
