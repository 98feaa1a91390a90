"""Holdings and figures in the in-memory store: the twin of the database's get_holdings_v1 and get_figures_v1."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from marketdata.model.gap import Gap
from marketdata.model.instrument import Instrument
from marketdata.model.job_run import JobRun
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, Timeframe
from marketdata.store.figures import FIGURES_SPAN, Figures, GapFigure, Holding, MarketFigure, RunFigure
from marketdata.store.limits import check_held
from marketdata.store.memory_answers import MemoryAnswers

_SETTLING = timedelta(minutes=2)
_COUNTED_MINUTES_MIN = 240
_MARKETS_MAX = 1_000
_ALL = 10**9


class MemoryFigures(MemoryAnswers):
    """The part of the Store protocol that is about the whole."""

    def holdings(self, instruments: Sequence[Instrument]) -> list[Holding]:
        """See Store. Raises: NotFound; RequestInvalid for too many."""
        check_held(len(instruments))
        with self._lock:
            self._require(one.key for one in instruments)
            known = [self._instruments[one.key] for one in instruments]
            found = (self._holding(one, timeframe) for one in known for timeframe in _finest_first(one))
            return [holding for holding in found if holding is not None]

    def figures(self, *, now: datetime) -> Figures:
        """See Store."""
        with self._lock:
            runs = self._runs.select(now, None, None, _ALL, None)
            active = self.instruments(active_only=True)[:_MARKETS_MAX]
            markets = tuple(self._market(one, now) for one in active)
            return Figures(
                len(self._queue), _of_gaps(self._ledger.select(None, None, _ALL, None)), _of_runs(runs), markets
            )

    def _holding(self, instrument: Instrument, timeframe: Timeframe) -> Holding | None:
        history = self._histories[instrument.key]
        oldest = history.candles(timeframe, None, None, 1, False)
        if not oldest:
            return None
        newest = history.candles(timeframe, None, None, 1, True)
        trades = None
        if timeframe == _counted(instrument):
            counts = [
                one.trades for one in history.candles(timeframe, None, None, _ALL, False) if one.trades is not None
            ]
            trades = sum(counts) if counts else None
        return Holding(instrument, timeframe, oldest[0].open_time, newest[0].open_time, trades)

    def _market(self, instrument: Instrument, now: datetime) -> MarketFigure:
        history, end = self._histories[instrument.key], M1.floor(now - _SETTLING)
        since = M1.floor(self._known_since.get(instrument.key, end - FIGURES_SPAN))
        start = min(end, max(M1.floor(now - _SETTLING - FIGURES_SPAN), since))
        known = history.coverage(M1, Span(start, end))
        newest = history.candles(M1, None, None, 1, True)
        return MarketFigure(
            instrument=instrument,
            newest=newest[0].open_time if newest else None,
            covered=_seconds(known.covered),
            empty=_seconds(known.empty),
            expected=int((end - start).total_seconds()),
        )


def _finest_first(instrument: Instrument) -> list[Timeframe]:
    return sorted(instrument.timeframes, key=lambda one: one.minutes)


def _counted(instrument: Instrument) -> Timeframe:
    """The timeframe over which trades are counted."""
    finest_first = _finest_first(instrument)
    return next((one for one in finest_first if one.minutes >= _COUNTED_MINUTES_MIN), finest_first[-1])


def _of_gaps(gaps: Iterable[Gap]) -> tuple[GapFigure, ...]:
    counts: Counter[tuple[str, str]] = Counter()
    seconds: Counter[tuple[str, str]] = Counter()
    states = {}
    for gap in gaps:
        key = (gap.exchange, gap.state.value)
        states[key] = gap.state
        counts[key] += 1
        seconds[key] += _seconds([gap.span])
    return tuple(GapFigure(key[0], states[key], counts[key], seconds[key]) for key in sorted(counts))


def _of_runs(runs: Iterable[JobRun]) -> tuple[RunFigure, ...]:
    groups: defaultdict[tuple[str, str, str], list[JobRun]] = defaultdict(list)
    for run in runs:
        groups[run.kind, run.trigger, run.state.value].append(run)
    return tuple(
        RunFigure(
            kind=kind,
            trigger=trigger,
            state=group[0].state,
            runs=len(group),
            seconds=sum((one.finished_at - one.started_at).total_seconds() for one in group if one.finished_at),
            last_at=max(one.started_at for one in group),
        )
        for (kind, trigger, _), group in sorted(groups.items())
    )


def _seconds(spans: Iterable[Span]) -> int:
    return int(sum((one.end - one.start).total_seconds() for one in spans))
