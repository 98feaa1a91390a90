"""Query strings to questions: one CandleQuery, whichever of the usual names a caller uses for its parts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from marketdata.errors import RequestInvalid
from marketdata.model.gap import UNRESOLVED, GapState
from marketdata.model.instrument import Instrument
from marketdata.model.job_run import RunState
from marketdata.model.timeframe import M1, Timeframe, timeframe_named, timeframe_of_minutes
from marketdata.model.times import rfc3339
from marketdata.serve.candle_answer import Fill, View
from marketdata.serve.decimals import AsJson, as_number, as_string
from marketdata.serve.request_times import boundary

LIMIT_DEFAULT = 1_000
LIMIT_MAX = 10_000
GAPS_LIMIT_DEFAULT = 100
GAPS_LIMIT_MAX = 1_000

# The name we use, and those that other services taught their callers.
ALIASES = {
    "symbol": ("symbol",),
    "exchange": ("exchange", "broker"),
    "timeframe": ("timeframe", "tf", "interval", "granularity"),
    "start": ("start", "from", "startTime"),
    "end": ("end", "to", "endTime"),
    "limit": ("limit",),
    "order": ("order",),
    "cursor": ("cursor",),
    "decimals": ("decimals",),
    "state": ("state", "states", "status"),
    "kind": ("kind", "job"),
    "view": ("view",),
    "window": ("window", "period"),
    "with": ("with", "other"),
}
_OF_CANDLES = tuple(name for name in ALIASES if name not in {"state", "kind", "view", "window", "with"})
_OF_RUNS = ("kind", "state", "limit", "cursor")
_OF_GAPS = ("symbol", "exchange", "state", "limit", "cursor")
_OF_COVERAGE = ("symbol", "exchange", "timeframe", "start", "end")
_OF_LATEST = ("symbol", "exchange", "timeframe", "limit", "decimals")

_STATES: dict[str, tuple[GapState, ...]] = {
    **{state.value: (state,) for state in GapState},
    "unresolved": UNRESOLVED,
    "all": tuple(GapState),
}
_RUN_STATES: dict[str, tuple[RunState, ...]] = {
    **{state.value: (state,) for state in RunState},
    "all": tuple(RunState),
}
_ORDERS = {"asc": False, "desc": True}
DECIMALS: dict[str, AsJson] = {"string": as_string, "number": as_number}
_WHOLE_NUMBER = re.compile(r"\d{1,9}", re.ASCII)

Chosen = TypeVar("Chosen")


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
    view: View = View()

    def question(self, instrument: Instrument) -> str:
        """What is asked, in one spelling: what a cursor is bound to."""
        start, end = (rfc3339(time) if time else "" for time in (self.start, self.end))
        order = "desc" if self.newest_first else "asc"
        grid = "" if self.view.fill is Fill.NONE else "filled"
        return "\n".join((instrument.exchange, instrument.symbol, self.timeframe.name, start, end, order, grid))


def candle_query(parameters: Mapping[str, str]) -> CandleQuery:
    """The question of /v1/candles. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, _OF_CANDLES)
    query = CandleQuery(
        symbol=_symbol(given),
        exchange=given.get("exchange"),
        timeframe=_timeframe(given),
        start=boundary(given["start"], "start") if "start" in given else None,
        end=boundary(given["end"], "end") if "end" in given else None,
        limit=limit_of(given, LIMIT_DEFAULT, LIMIT_MAX),
        newest_first=choice(given, "order", _ORDERS, "asc"),
        cursor=given.get("cursor"),
        view=_view(given),
    )
    if query.start is not None and query.end is not None and query.start >= query.end:
        raise RequestInvalid("end", "must be after start; the end itself is excluded")
    return query


def latest_query(parameters: Mapping[str, str]) -> CandleQuery:
    """The question of /v1/candles/latest: the newest `limit`. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, _OF_LATEST)
    return CandleQuery(
        symbol=_symbol(given),
        exchange=given.get("exchange"),
        timeframe=_timeframe(given),
        limit=limit_of(given, LIMIT_DEFAULT, LIMIT_MAX),
        newest_first=True,
        view=_view(given),
    )


@dataclass(frozen=True, slots=True)
class GapQuery:
    """A question for gaps on the ledger, by number; None asks for every symbol, or every exchange."""

    symbol: str | None = None
    exchange: str | None = None
    states: tuple[GapState, ...] = UNRESOLVED
    limit: int = GAPS_LIMIT_DEFAULT
    cursor: str | None = None

    def question(self, instrument: Instrument | None, exchange: str | None) -> str:
        """What is asked, in one spelling: what a cursor is bound to."""
        of = instrument.key if instrument else (exchange or "", "")
        return "\n".join(("gaps", *of, *self.states))


def gap_query(parameters: Mapping[str, str]) -> GapQuery:
    """The question of /v1/gaps. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, _OF_GAPS)
    return GapQuery(
        symbol=given.get("symbol"),
        exchange=given.get("exchange"),
        states=gap_states(given["state"]) if "state" in given else UNRESOLVED,
        limit=limit_of(given, GAPS_LIMIT_DEFAULT, GAPS_LIMIT_MAX),
        cursor=given.get("cursor"),
    )


@dataclass(frozen=True, slots=True)
class RunQuery:
    """A question for runs of jobs, newest first; None asks for every kind."""

    kind: str | None = None
    states: tuple[RunState, ...] = tuple(RunState)
    limit: int = GAPS_LIMIT_DEFAULT
    cursor: str | None = None

    @property
    def question(self) -> str:
        """What is asked, in one spelling: what a cursor is bound to."""
        return "\n".join(("runs", self.kind or "", *self.states))


def run_query(parameters: Mapping[str, str]) -> RunQuery:
    """The question of /v1/jobs. Raises: RequestInvalid naming the parameter."""
    given = given_parameters(parameters, _OF_RUNS)
    return RunQuery(
        kind=given.get("kind"),
        states=run_states(given["state"]) if "state" in given else tuple(RunState),
        limit=limit_of(given, GAPS_LIMIT_DEFAULT, GAPS_LIMIT_MAX),
        cursor=given.get("cursor"),
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
    given = given_parameters(parameters, _OF_COVERAGE)
    return CoverageQuery(
        symbol=given.get("symbol"),
        exchange=given.get("exchange"),
        timeframe=_timeframe(given),
        start=boundary(given["start"], "start") if "start" in given else None,
        end=boundary(given["end"], "end") if "end" in given else None,
    )


def no_parameters(parameters: Mapping[str, str]) -> None:
    """For a question that has none. Raises: RequestInvalid for any."""
    given_parameters(parameters, ())


def given_parameters(parameters: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    """The parameters under our names, without empty ones; one that is unknown would silently change the question."""
    ours = {alias: name for name in names for alias in ALIASES[name]}
    given: dict[str, str] = {}
    for alias, value in parameters.items():
        if alias not in ours:
            raise RequestInvalid(alias[:64], f"is not a parameter here; there are {', '.join(ours) or 'none'}")
        if value and given.setdefault(ours[alias], value) != value:
            raise RequestInvalid(alias, f"contradicts another name of {ours[alias]}")
    return given


def _view(given: Mapping[str, str]) -> View:
    return View(number=choice(given, "decimals", DECIMALS, "string"))


def _symbol(given: Mapping[str, str]) -> str:
    if "symbol" not in given:
        raise RequestInvalid("symbol", "is required, as in symbol=BTC-USD")
    return given["symbol"]


def _timeframe(given: Mapping[str, str]) -> Timeframe:
    """By name, or by its length in seconds as Coinbase's `granularity` has it."""
    text = given.get("timeframe", M1.name)
    if _WHOLE_NUMBER.fullmatch(text) and int(text) % 60 == 0:
        return timeframe_of_minutes(int(text) // 60)
    return timeframe_named(text)


def limit_of(given: Mapping[str, str], default: int, most: int) -> int:
    text = given.get("limit", str(default))
    if not _WHOLE_NUMBER.fullmatch(text) or not 1 <= int(text) <= most:
        raise RequestInvalid("limit", f"must be a whole number from 1 to {most}")
    return int(text)


def gap_states(text: str) -> tuple[GapState, ...]:
    """`open,leased` or `all`, as states, each once. Raises: RequestInvalid naming those that there are."""
    return _states(text, _STATES)


def run_states(text: str) -> tuple[RunState, ...]:
    """`failed,lost` or `all`, as states, each once. Raises: RequestInvalid naming those that there are."""
    return _states(text, _RUN_STATES)


def _states(text: str, known: Mapping[str, tuple[Chosen, ...]]) -> tuple[Chosen, ...]:
    names = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        choices = tuple(known)
        raise RequestInvalid("state", f"{(unknown or [text])[0][:64]!r} is not one of {', '.join(choices)}", choices)
    chosen = {state for name in names for state in known[name]}
    return tuple(state for state in known["all"] if state in chosen)


def choice(given: Mapping[str, str], name: str, choices: Mapping[str, Chosen], default: str) -> Chosen:
    text = given.get(name, default)
    if text not in choices:
        raise RequestInvalid(name, f"{text[:64]!r} is not one of {', '.join(choices)}", tuple(choices))
    return choices[text]
