"""Holdings and figures: the columns of get_holdings_v1 and get_figures_v1 (migrations/)."""

import msgspec

from marketdata.model.gap import GapState
from marketdata.model.instrument import Instrument
from marketdata.model.job_run import RunState
from marketdata.model.timeframe import timeframe_of_minutes
from marketdata.store.figures import Figures, GapFigure, Holding, MarketFigure, RunFigure
from marketdata.store.wire import require_one_length, time_of


class HoldingColumns(msgspec.Struct):
    """The answer of `get_holdings_v1`; times in microseconds."""

    instrument_id: list[int]
    timeframe: list[int]
    oldest: list[int]
    newest: list[int]
    trades: list[int | None]

    def __post_init__(self) -> None:
        require_one_length(self)

    def holdings(self, instruments: dict[int, Instrument]) -> list[Holding]:
        """The values that the columns stand for, in the order of `instruments`."""
        places = {number: place for place, number in enumerate(instruments)}
        rows = sorted(zip(*msgspec.structs.astuple(self), strict=True), key=lambda row: (places[row[0]], row[1]))
        return [
            Holding(instruments[number], timeframe_of_minutes(minutes), time_of(oldest), time_of(newest), trades)
            for number, minutes, oldest, newest, trades in rows
        ]


class GapColumns(msgspec.Struct):
    """The ledger, counted."""

    exchange: list[str]
    state: list[GapState]
    gaps: list[int]
    seconds: list[int]

    def __post_init__(self) -> None:
        require_one_length(self)


class RunColumns(msgspec.Struct):
    """The list of runs, counted; times in microseconds."""

    kind: list[str]
    trigger: list[str]
    state: list[RunState]
    runs: list[int]
    seconds: list[float]
    last_at: list[int]

    def __post_init__(self) -> None:
        require_one_length(self)


class MarketColumns(msgspec.Struct):
    """The active instruments; times in microseconds."""

    instrument_id: list[int]
    newest: list[int | None]
    covered: list[int]
    empty: list[int]
    expected: list[int]

    def __post_init__(self) -> None:
        require_one_length(self)


class FigureColumns(msgspec.Struct):
    """The answer of `get_figures_v1`."""

    queued: int
    gaps: GapColumns
    runs: RunColumns
    markets: MarketColumns

    def figures(self, instruments: dict[int, Instrument]) -> Figures:
        """The values that the columns stand for; markets by (exchange, symbol)."""
        gaps = zip(*msgspec.structs.astuple(self.gaps), strict=True)
        *counts, last_at = msgspec.structs.astuple(self.runs)
        runs = zip(*counts, map(time_of, last_at), strict=True)
        markets = [
            MarketFigure(instruments[number], None if newest is None else time_of(newest), *seconds)
            for number, newest, *seconds in zip(*msgspec.structs.astuple(self.markets), strict=True)
        ]
        return Figures(
            queued=self.queued,
            gaps=tuple(GapFigure(*row) for row in gaps),
            runs=tuple(RunFigure(*row) for row in runs),
            markets=tuple(sorted(markets, key=lambda market: market.instrument.key)),
        )
