"""Query strings of /v1/ticks/{symbol} and its history to questions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from marketdata.model.instrument import Instrument
from marketdata.model.timeframe import M1, TIMEFRAMES, Timeframe
from marketdata.model.times import rfc3339
from marketdata.serve.decimals import AsJson, as_string
from marketdata.serve.parameter import Choice, given_parameters, in_order
from marketdata.serve.parameters import (
    CURSOR,
    DECIMALS,
    END,
    EXCHANGE,
    NEWEST_FIRST,
    SHORT_LIMIT,
    SHORT_LIMIT_DEFAULT,
    START,
    SYMBOL_IN_PATH,
)

VIEW: Choice[Timeframe] = Choice(
    "view",
    "Which candles: `ohlc` and their timeframe.",
    values={f"ohlc{timeframe.name}": timeframe for timeframe in TIMEFRAMES},
    default=f"ohlc{M1.name}",
)

TICKS = (SYMBOL_IN_PATH, EXCHANGE, START, END, SHORT_LIMIT, NEWEST_FIRST, CURSOR, DECIMALS)
HISTORY = (SYMBOL_IN_PATH, EXCHANGE, VIEW, SHORT_LIMIT, DECIMALS)


@dataclass(frozen=True, slots=True)
class TickQuery:
    """A question for ticks with `start <= time < end`, the newest first unless said otherwise."""

    symbol: str
    exchange: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    limit: int = SHORT_LIMIT_DEFAULT
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
    limit: int = SHORT_LIMIT_DEFAULT
    number: AsJson = as_string


def tick_query(symbol: str, parameters: Mapping[str, str]) -> TickQuery:
    """The question of /v1/ticks/{symbol}. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, TICKS)
    query = TickQuery(
        symbol=symbol,
        exchange=EXCHANGE.of(given),
        start=START.of(given),
        end=END.of(given),
        limit=SHORT_LIMIT.of(given),
        newest_first=NEWEST_FIRST.of(given),
        cursor=CURSOR.of(given),
        number=DECIMALS.of(given),
    )
    in_order(query.start, query.end)
    return query


def history_query(symbol: str, parameters: Mapping[str, str]) -> HistoryQuery:
    """The question of /v1/ticks/{symbol}/history. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, HISTORY)
    return HistoryQuery(
        symbol=symbol,
        exchange=EXCHANGE.of(given),
        timeframe=VIEW.of(given),
        limit=SHORT_LIMIT.of(given),
        number=DECIMALS.of(given),
    )
