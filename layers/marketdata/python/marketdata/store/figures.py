"""What a store knows of the whole: what is held of each instrument, and figures to watch it by. See figures_store."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from marketdata.model.gap import GapState
from marketdata.model.instrument import Instrument
from marketdata.model.job_run import RunState
from marketdata.model.timeframe import Timeframe

FIGURES_SPAN = timedelta(days=1)
"""The time whose coverage figures tell."""


@dataclass(frozen=True, slots=True)
class Holding:
    """The opening of the oldest and the newest candle of one timeframe.

    `trades`: how many trades (quotes where the market is quoted) went into them; given for one timeframe of an
    instrument, the finest of at least four hours or else the coarsest, if its candles count any.
    """

    instrument: Instrument
    timeframe: Timeframe
    oldest: datetime
    newest: datetime
    trades: int | None = None


@dataclass(frozen=True, slots=True)
class GapFigure:
    """How many gaps of one exchange are in one state, and how long they are together."""

    exchange: str
    state: GapState
    gaps: int
    seconds: int


@dataclass(frozen=True, slots=True)
class RunFigure:
    """How many runs of one kind and trigger are on the list in one state, and how long those that ended took.

    `last_at` is when the newest began.
    """

    kind: str
    trigger: str
    state: RunState
    runs: int
    seconds: float
    last_at: datetime


@dataclass(frozen=True, slots=True)
class MarketFigure:
    """One active instrument: the opening of its newest 1m candle, and the seconds of the last day.

    As of the last drain; the day ended two minutes ago. `expected` are those since the instrument is known here, of
    which `covered` are held above partial and `empty` known to be empty.
    """

    instrument: Instrument
    newest: datetime | None
    covered: int
    empty: int
    expected: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything; `queued` are the entries that wait for the drain. At most the first thousand instruments."""

    queued: int
    gaps: tuple[GapFigure, ...]
    runs: tuple[RunFigure, ...]
    markets: tuple[MarketFigure, ...]
