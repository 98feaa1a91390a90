"""Query strings to questions: one CandleQuery, whichever of the usual names a caller uses for its parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from marketdata.model.gap import UNRESOLVED, GapState
from marketdata.model.instrument import Instrument
from marketdata.model.job_run import RunState
from marketdata.model.timeframe import M1, Timeframe
from marketdata.model.times import rfc3339
from marketdata.serve.candle_answer import PLAIN_VIEW, Fill, View
from marketdata.serve.candle_parameters import CANDLE_LIMIT, FILL, FORMAT, INDICATORS, TIMES
from marketdata.serve.formats import Format
from marketdata.serve.parameter import Choices, Given, Text, Whole, given_parameters, in_order
from marketdata.serve.parameters import (
    CURSOR,
    DECIMALS,
    END,
    EXCHANGE,
    LIMIT_DEFAULT,
    ORDER,
    SHORT_LIMIT,
    SHORT_LIMIT_DEFAULT,
    SHORT_LIMIT_MAX,
    START,
    SYMBOL,
    SYMBOL_REQUIRED,
    TIMEFRAME,
)

GAP_STATES: Choices[GapState] = Choices(
    "state",
    "States of gaps, with commas between them; `unresolved` are those that somebody is at or that wait.",
    aliases=("states", "status"),
    values={
        **{state.value: (state,) for state in GapState},
        "unresolved": UNRESOLVED,
        "all": tuple(GapState),
    },
    default="unresolved",
)
RUN_STATES: Choices[RunState] = Choices(
    "state",
    "States of runs, with commas between them.",
    aliases=("states", "status"),
    values={**{state.value: (state,) for state in RunState}, "all": tuple(RunState)},
    default="all",
)
KIND = Text("kind", "The name of a job; without it, every job.", aliases=("job",), example="backfill")

RUN_NUMBER = Whole("id", "The number of one run; without it, all.", default=0, least=0, most=2**53 - 1)

VIEW = (FILL, INDICATORS, DECIMALS, TIMES, FORMAT)
CANDLES = (SYMBOL_REQUIRED, EXCHANGE, TIMEFRAME, START, END, CANDLE_LIMIT, ORDER, CURSOR, *VIEW)
COUNT = (SYMBOL_REQUIRED, EXCHANGE, TIMEFRAME, START, END)
LATEST = (SYMBOL_REQUIRED, EXCHANGE, TIMEFRAME, CANDLE_LIMIT, *VIEW)
GAPS = (SYMBOL, EXCHANGE, GAP_STATES, SHORT_LIMIT, CURSOR)
RUNS = (KIND, RUN_STATES, RUN_NUMBER, SHORT_LIMIT, CURSOR)
COVERAGE = (SYMBOL, EXCHANGE, TIMEFRAME, START, END)
METADATA = (SYMBOL, EXCHANGE)
PLAIN_GAPS_LIMIT = Whole(SHORT_LIMIT.name, SHORT_LIMIT.description, default=SHORT_LIMIT_MAX, most=SHORT_LIMIT_MAX)
PLAIN_GAPS = (SYMBOL, EXCHANGE, GAP_STATES, PLAIN_GAPS_LIMIT, CURSOR)


@dataclass(frozen=True, slots=True)
class CandleQuery:
    """A question for candles with `start <= open_time < end`; None leaves a side open.

    `cursor` continues the same question after a page; `view` says how the answer is shown.
    """

    symbol: str
    exchange: str | None = None
    timeframe: Timeframe = M1
    start: datetime | None = None
    end: datetime | None = None
    limit: int = LIMIT_DEFAULT
    newest_first: bool = False
    cursor: str | None = None
    view: View = PLAIN_VIEW

    def question(self, instrument: Instrument) -> str:
        """What is asked, in one spelling: what a cursor is bound to."""
        start, end = (rfc3339(time) if time else "" for time in (self.start, self.end))
        order = "desc" if self.newest_first else "asc"
        grid = "" if self.view.fill is Fill.NONE else "filled"
        return "\n".join((instrument.exchange, instrument.symbol, self.timeframe.name, start, end, order, grid))


def candle_query(parameters: Mapping[str, str]) -> CandleQuery:
    """The question of /v1/candles. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, CANDLES)
    query = CandleQuery(
        symbol=SYMBOL_REQUIRED.needed(given),
        exchange=EXCHANGE.of(given),
        timeframe=TIMEFRAME.of(given),
        start=START.of(given),
        end=END.of(given),
        limit=CANDLE_LIMIT.of(given),
        newest_first=ORDER.of(given),
        cursor=CURSOR.of(given),
        view=view_of(given),
    )
    in_order(query.start, query.end)
    return query


def count_query(parameters: Mapping[str, str]) -> CandleQuery:
    """The question of /v1/candles/count. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, COUNT)
    query = CandleQuery(
        symbol=SYMBOL_REQUIRED.needed(given),
        exchange=EXCHANGE.of(given),
        timeframe=TIMEFRAME.of(given),
        start=START.of(given),
        end=END.of(given),
    )
    in_order(query.start, query.end)
    return query


def named_format(parameters: Mapping[str, str]) -> Format | None:
    """The format that the caller names, if any. Raises: RequestInvalid naming those that there are."""
    return FORMAT.of(parameters) if parameters.get(FORMAT.name) else None


def view_of(given: Given) -> View:
    """How the answer is to be shown. Raises: RequestInvalid naming the parameter."""
    return View(DECIMALS.of(given), TIMES.of(given), FILL.of(given), INDICATORS.of(given))


def latest_query(parameters: Mapping[str, str]) -> CandleQuery:
    """The question of /v1/candles/latest: the newest `limit`. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, LATEST)
    return CandleQuery(
        symbol=SYMBOL_REQUIRED.needed(given),
        exchange=EXCHANGE.of(given),
        timeframe=TIMEFRAME.of(given),
        limit=CANDLE_LIMIT.of(given),
        newest_first=True,
        view=view_of(given),
    )


@dataclass(frozen=True, slots=True)
class GapQuery:
    """A question for gaps on the ledger, by number; None asks for every symbol, or every exchange."""

    symbol: str | None = None
    exchange: str | None = None
    states: tuple[GapState, ...] = UNRESOLVED
    limit: int = SHORT_LIMIT_DEFAULT
    cursor: str | None = None

    def question(self, instrument: Instrument | None, exchange: str | None) -> str:
        """What is asked, in one spelling: what a cursor is bound to."""
        of = instrument.key if instrument else (exchange or "", "")
        return "\n".join(("gaps", *of, *self.states))


def gap_query(parameters: Mapping[str, str]) -> GapQuery:
    """The question of /v1/gaps. Raises: RequestInvalid naming the parameter."""
    return _gap_query(given_parameters(parameters, GAPS), SHORT_LIMIT)


def plain_gap_query(parameters: Mapping[str, str]) -> GapQuery:
    """The question of /gaps, which lists more at once. Raises: RequestInvalid naming the parameter."""
    return _gap_query(given_parameters(parameters, PLAIN_GAPS), PLAIN_GAPS_LIMIT)


def _gap_query(given: Given, limit: Whole) -> GapQuery:
    return GapQuery(
        symbol=SYMBOL.of(given),
        exchange=EXCHANGE.of(given),
        states=GAP_STATES.of(given),
        limit=limit.of(given),
        cursor=CURSOR.of(given),
    )


@dataclass(frozen=True, slots=True)
class RunQuery:
    """A question for runs of jobs, newest first; None asks for every kind, and `id` for one run."""

    kind: str | None = None
    states: tuple[RunState, ...] = tuple(RunState)
    limit: int = SHORT_LIMIT_DEFAULT
    cursor: str | None = None
    id: int | None = None

    @property
    def question(self) -> str:
        """What is asked, in one spelling: what a cursor is bound to."""
        return "\n".join(("runs", self.kind or "", *self.states, *([str(self.id)] if self.id else [])))


def run_query(parameters: Mapping[str, str]) -> RunQuery:
    """The question of /v1/jobs. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, RUNS)
    return RunQuery(
        kind=KIND.of(given),
        states=RUN_STATES.of(given),
        limit=SHORT_LIMIT.of(given),
        cursor=CURSOR.of(given),
        id=RUN_NUMBER.of(given) or None,
    )


@dataclass(frozen=True, slots=True)
class CoverageQuery:
    """A question for daily counts of the buckets with `start <= open_time < end`.

    Of every active instrument where no symbol is named, of every exchange where none is; without an end up to now,
    without a start the week before the end.
    """

    symbol: str | None = None
    exchange: str | None = None
    timeframe: Timeframe = M1
    start: datetime | None = None
    end: datetime | None = None


def coverage_query(parameters: Mapping[str, str]) -> CoverageQuery:
    """The question of /v1/coverage. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, COVERAGE)
    return CoverageQuery(
        symbol=SYMBOL.of(given),
        exchange=EXCHANGE.of(given),
        timeframe=TIMEFRAME.of(given),
        start=START.of(given),
        end=END.of(given),
    )


@dataclass(frozen=True, slots=True)
class MetadataQuery:
    """A question for what is held: of one symbol, of one exchange, or of all."""

    symbol: str | None = None
    exchange: str | None = None


def metadata_query(parameters: Mapping[str, str]) -> MetadataQuery:
    """The question of /v1/metadata and /api/metadata. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, METADATA)
    return MetadataQuery(SYMBOL.of(given), EXCHANGE.of(given))


def no_parameters(parameters: Mapping[str, str]) -> None:
    """For a question that has none. Raises: RequestInvalid for any."""
    given_parameters(parameters, ())
