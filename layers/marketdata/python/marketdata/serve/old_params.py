"""Query strings of the services whose clients are still about, to the one CandleQuery: /candles, /api/candles.

Their numbers are JSON numbers unless `decimals=string` says otherwise; ours keep all their digits.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from marketdata.errors import RequestInvalid
from marketdata.model.times import EPOCH
from marketdata.serve.candle_answer import View
from marketdata.serve.candle_parameters import CANDLE_LIMIT, Rows
from marketdata.serve.decimals import AsJson
from marketdata.serve.parameter import Choice, Given, Length, Parameter, given_parameters, in_order
from marketdata.serve.parameters import CURSOR, DECIMALS, END, EXCHANGE, LIMIT_MAX, START, SYMBOL_REQUIRED, TIMEFRAME
from marketdata.serve.params import CandleQuery

SECONDS_MAX = 10**11
"""From here on a count of seconds is one of milliseconds: the year 5138 is not asked for."""

_INTEGER = re.compile(r"\d{1,20}", re.ASCII)
_SECOND = timedelta(seconds=1)


class UnixSeconds(Parameter, frozen=True):
    """A moment in whole seconds since 1970, and in nothing else."""

    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        return {"type": "integer", "minimum": 0, "exclusiveMaximum": SECONDS_MAX}

    def of(self, given: Given) -> datetime:
        """The moment. Raises: RequestInvalid, which takes milliseconds for what they are."""
        text = given.get(self.name, "")
        if not text:
            raise RequestInvalid(self.name, f"is required: Unix seconds, as in {self.name}={self.example}")
        if not _INTEGER.fullmatch(text):
            raise RequestInvalid(self.name, f"{text[:64]!r} is not a whole number of Unix seconds")
        if int(text) >= SECONDS_MAX:
            raise RequestInvalid(self.name, f"{text} looks like milliseconds, did you mean {_in_seconds(int(text))}?")
        return EPOCH + int(text) * _SECOND


NUMBERS: Choice[AsJson] = Choice("decimals", DECIMALS.description, values=DECIMALS.values, default="number")
ALL_ROWS = Rows(
    "limit",
    "How many records at most; the Link header leads to the next. Without it the answer is whole, or refused (413).",
    default=LIMIT_MAX,
    most=LIMIT_MAX,
)
HOURLY = Length(TIMEFRAME.name, TIMEFRAME.description, aliases=TIMEFRAME.aliases, example="1h", default="1h")
FROM = UnixSeconds("from", "The first moment, in Unix seconds.", ("start", "startTime"), True, example="1710918000")
TO = UnixSeconds(
    "to", "The last moment, in Unix seconds: it is included.", ("end", "endTime"), True, example="1711004399"
)

PLAIN_CANDLES = (SYMBOL_REQUIRED, EXCHANGE, TIMEFRAME, START, END, ALL_ROWS, CURSOR, NUMBERS)
PLAIN_LATEST = (SYMBOL_REQUIRED, EXCHANGE, TIMEFRAME, CANDLE_LIMIT, NUMBERS)
UNIX_CANDLES = (SYMBOL_REQUIRED, EXCHANGE, HOURLY, FROM, TO, ALL_ROWS, CURSOR, NUMBERS)


def plain_query(parameters: Mapping[str, str]) -> CandleQuery:
    """The question of /candles. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, PLAIN_CANDLES)
    query = CandleQuery(
        symbol=SYMBOL_REQUIRED.needed(given),
        exchange=EXCHANGE.of(given),
        timeframe=TIMEFRAME.of(given),
        start=START.of(given),
        end=END.of(given),
        limit=ALL_ROWS.of(given),
        cursor=CURSOR.of(given),
        view=View(NUMBERS.of(given)),
    )
    in_order(query.start, query.end)
    return query


def plain_latest_query(parameters: Mapping[str, str]) -> CandleQuery:
    """The question of /candles/latest. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, PLAIN_LATEST)
    return CandleQuery(
        symbol=SYMBOL_REQUIRED.needed(given),
        exchange=EXCHANGE.of(given),
        timeframe=TIMEFRAME.of(given),
        limit=CANDLE_LIMIT.of(given),
        newest_first=True,
        view=View(NUMBERS.of(given)),
    )


def unix_query(parameters: Mapping[str, str]) -> CandleQuery:
    """The question of /api/candles, whose `to` is included. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, UNIX_CANDLES)
    start, last = FROM.of(given), TO.of(given)
    if start > last:
        raise RequestInvalid("to", "must not be before from")
    return CandleQuery(
        symbol=SYMBOL_REQUIRED.needed(given),
        exchange=EXCHANGE.of(given),
        timeframe=HOURLY.of(given),
        start=start,
        end=last + _SECOND,
        limit=ALL_ROWS.of(given),
        cursor=CURSOR.of(given),
        view=View(NUMBERS.of(given)),
    )


def wants_whole(parameters: Mapping[str, str]) -> bool:
    """Whether the caller knows of no next page: it named no limit, and follows no link."""
    return not parameters.get("limit") and not parameters.get("cursor")


def _in_seconds(count: int) -> int:
    while count >= SECONDS_MAX:
        count //= 1_000
    return count
