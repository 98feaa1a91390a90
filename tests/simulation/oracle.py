"""The law: what is stored equals what was traded, or the ledger names the difference. Plain loops over the tape."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from marketdata.model.candle import Candle, Source
from marketdata.model.gap import UNRESOLVED, Gap, GapState
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, TIMEFRAMES, Timeframe
from marketdata.store.limits import ROWS_MAX
from marketdata.store.store import Store

from tests.simulation.folding import MINUTE, Figures, figures, fold, minute_of, parent_figures, steps
from tests.simulation.market import SimulatedMarket

PIECE = timedelta(hours=1)
PAGE = 1000

ProvedBy = Mapping[tuple[str, datetime], str]
"""The process that first proved a minute of a symbol."""


@dataclass(slots=True)
class Verdict:
    """What was found; `broken` says in words what should not be."""

    minutes: int = 0
    trades: int = 0
    proven: int = 0
    venue: int = 0
    empty: int = 0
    named: int = 0
    """Minutes that are not held, and of which the ledger says so."""
    unrecoverable: int = 0
    """Those of them that the ledger has given up."""
    not_kept: int = 0
    """Trades that are not kept, because their minute was filled from the exchange's past, or not at all."""
    coarser: int = 0
    broken: list[str] = field(default_factory=list)


def judge(
    store: Store, market: SimulatedMarket, instruments: Sequence[Instrument], span: Span, proved_by: ProvedBy
) -> Verdict:
    """Compare everything stored of `span` with the tape."""
    verdict = Verdict()
    for instrument in instruments:
        _Judge(store, market, instrument, span, verdict).judge(proved_by)
    return verdict


class _Judge:
    """Judges one instrument."""

    def __init__(
        self, store: Store, market: SimulatedMarket, instrument: Instrument, span: Span, verdict: Verdict
    ) -> None:
        self._store = store
        self._market = market
        self._instrument = instrument
        self._span = span
        self._verdict = verdict
        self._candles = {candle.open_time: candle for candle in self._all_candles(M1)}
        self._empty = _minutes(store.coverage(instrument, M1, span).empty)
        gaps = [gap for gap in self._all_gaps() if gap.timeframe == M1]
        self._waiting = _minutes(gap.span for gap in gaps if gap.state in UNRESOLVED)
        given_up = (gap.span for gap in gaps if gap.state is GapState.UNRECOVERABLE and gap.reason)
        self._given_up = _minutes(given_up)

    def judge(self, proved_by: ProvedBy) -> None:
        """Every minute, every trade, every coarser candle."""
        expected = fold(self._market.trades(self._instrument.symbol, self._span))
        for minute in steps(self._span, MINUTE):
            self._verdict.minutes += 1
            self._judge_truth(minute, expected.get(minute))
            self._judge_presence(minute)
        for start in steps(self._span, PIECE):
            self._judge_trades(Span(start, min(start + PIECE, self._span.end)), proved_by)
        for timeframe in TIMEFRAMES[1:]:
            self._judge_coarser(timeframe)

    def _judge_truth(self, minute: datetime, expected: Figures | None) -> None:
        """Nothing that is said of a minute is false."""
        stored = self._candles.get(minute)
        if minute in self._empty and (expected is not None or stored is not None):
            self._breaks("known to be empty, but was traded", minute)
        if stored is not None and not _agrees(stored, expected):
            self._breaks(f"a wrong {stored.source.label} candle", minute)

    def _judge_presence(self, minute: datetime) -> None:
        """Either a minute is held, or it is known to be empty, or the ledger names it."""
        verdict, stored = self._verdict, self._candles.get(minute)
        held = stored is not None and stored.source >= Source.VENUE
        if held or minute in self._empty:
            verdict.proven += stored is not None and stored.source is Source.PROVEN
            verdict.venue += stored is not None and stored.source is Source.VENUE
            verdict.empty += minute in self._empty
            if minute in self._waiting:
                self._breaks("held, but called a gap", minute)
        elif minute in self._waiting or minute in self._given_up:
            verdict.named += 1
            verdict.unrecoverable += minute in self._given_up
        else:
            self._breaks(f"{'partial' if stored else 'missing'}, and nobody says so", minute)

    def _judge_trades(self, piece: Span, proved_by: ProvedBy) -> None:
        """Every trade is kept once and as it was; where a feed proved the minute, none is missing."""
        symbol = self._instrument.symbol
        kept = self._store.trades(self._instrument, piece, limit=ROWS_MAX)
        assert len(kept) < ROWS_MAX, "the piece has more trades than one answer"
        traded = set(self._market.trades(symbol, piece))
        self._verdict.trades += len(traded)
        for trade in kept:
            if trade not in traded:
                self._breaks(f"trade {trade.id} is kept, but was never traded", minute_of(trade))
        if len(kept) != len({trade.id for trade in kept}):
            self._breaks("trades are kept twice", piece.start)
        for trade in sorted(traded.difference(kept), key=lambda one: one.id):
            self._verdict.not_kept += 1
            prover = proved_by.get((symbol, minute_of(trade)), "")
            if prover.startswith("feed"):
                self._breaks(f"proven by {prover}, but trade {trade.id} is not kept", minute_of(trade))

    def _judge_coarser(self, timeframe: Timeframe) -> None:
        """Each coarser candle is the fold of the minutes that are stored, and complete only if all are known."""
        stored = {one.open_time: one for one in self._all_candles(timeframe)}
        opening = timeframe.ceil(self._span.start)
        while opening + timeframe.duration <= self._span.end:
            self._verdict.coarser += 1
            wrong = self._coarser_fault(opening, timeframe, stored.get(opening))
            if wrong:
                self._breaks(f"the {timeframe} candle {wrong}", opening)
            opening += timeframe.duration

    def _coarser_fault(self, opening: datetime, timeframe: Timeframe, parent: Candle | None) -> str:
        minutes = list(steps(Span(opening, opening + timeframe.duration), MINUTE))
        children = [self._candles[minute] for minute in minutes if minute in self._candles]
        complete = {child.open_time for child in children if child.complete}
        whole = all(minute in self._empty or minute in complete for minute in minutes)
        if parent is None:
            return "is missing" if children else ""
        if not children:
            return "stands for nothing"
        if parent.complete is not whole:
            return f"is {parent.source.label}, unlike its minutes"
        return "" if figures(parent) == parent_figures(children) else "is not the fold of its minutes"

    def _breaks(self, what: str, time: datetime) -> None:
        self._verdict.broken.append(f"{self._instrument.symbol} {time:%d %H:%M} {what}")

    def _all_candles(self, timeframe: Timeframe) -> list[Candle]:
        found: list[Candle] = []
        start = self._span.start
        while True:
            page = self._store.candles(self._instrument, timeframe, start=start, end=self._span.end, limit=PAGE)
            found += page
            if len(page) < PAGE:
                return found
            start = page[-1].close_time

    def _all_gaps(self) -> list[Gap]:
        found: list[Gap] = []
        while True:
            after = found[-1].id if found else None
            page = self._store.gaps(instrument=self._instrument, limit=PAGE, after_id=after)
            found += page
            if len(page) < PAGE:
                return found


def _agrees(stored: Candle, expected: Figures | None) -> bool:
    """Whether a candle says what was traded: all of it, what an exchange's own candle tells, or a part that fits."""
    said = figures(stored)
    if expected is None:
        return False
    if stored.source is Source.VENUE:
        return said[:5] == expected[:5] and set(said[5:]) == {None}
    if stored.source is Source.PARTIAL:
        assert stored.trades is not None
        return stored.trades <= expected[6] and stored.high <= expected[1] and stored.low >= expected[2]
    return said == expected


def _minutes(spans: Iterable[Span]) -> set[datetime]:
    return {minute for span in spans for minute in steps(span, MINUTE)}
