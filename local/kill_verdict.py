"""What a store holds against what was traded: the tape is the oracle. Used by the kill rig.

Whatever a stored trade or candle says is compared, field by field. A candle that is missing, that is not proven, or
that stands in a minute without trades is as wrong as one with a wrong price.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from marketdata.compute.bars import Bars
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.times import EPOCH
from marketdata.store.limits import ROWS_MAX
from marketdata.store.store import Store

from local.exchanges.tape import Tape

EXAMPLES_MAX = 20
_PIECE = timedelta(minutes=3)
"""So much of the busiest product is below the most that a store answers."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many trades and candles there should be, and how many are not as they should be; `examples` name some."""

    trades: int = 0
    candles: int = 0
    lost: int = 0
    extra: int = 0
    wrong: int = 0
    examples: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing is lost, extra or wrong."""
        return not (self.lost or self.extra or self.wrong)

    def __str__(self) -> str:
        return f"lost {self.lost}, extra {self.extra}, wrong candles {self.wrong}"

    def __add__(self, other: "Verdict") -> "Verdict":
        return Verdict(
            self.trades + other.trades,
            self.candles + other.candles,
            self.lost + other.lost,
            self.extra + other.extra,
            self.wrong + other.wrong,
            (self.examples + other.examples)[:EXAMPLES_MAX],
        )


def judge(store: Store, tape: Tape, instruments: Sequence[Instrument], span: Span) -> Verdict:
    """Compare everything stored of `span`, which begins and ends with a minute, with the tape."""
    verdict = Verdict()
    for instrument in instruments:
        for piece in pieces(span, _PIECE):
            verdict += _judge_trades(store, tape, instrument, piece) + _judge_candles(store, tape, instrument, piece)
    return verdict


def is_proven(store: Store, tape: Tape, instrument: Instrument, span: Span) -> bool:
    """Whether every minute of `span` that has trades has a proven candle, without a look at what it says."""
    stored = store.candles(instrument, M1, start=span.start, end=span.end, limit=ROWS_MAX)
    proven = {candle.open_time for candle in stored if candle.source is Source.PROVEN}
    symbol = instrument.symbol
    traded = {
        minute.start
        for minute in pieces(span, M1.duration)
        if tape.next_id(symbol, minute.start) < tape.next_id(symbol, minute.end)
    }
    return proven == traded


def pieces(span: Span, length: timedelta) -> Iterator[Span]:
    """`span` in pieces of `length`, the last one cut."""
    start = span.start
    while start < span.end:
        end = min(start + length, span.end)
        yield Span(start, end)
        start = end


def _judge_trades(store: Store, tape: Tape, instrument: Instrument, span: Span) -> Verdict:
    stored, traded = store.trades(instrument, span, limit=ROWS_MAX), tape.trades(instrument.symbol, span)
    assert len(stored) < ROWS_MAX, "the piece has more trades than one answer"
    lost, kept = set(traded).difference(stored), set(stored).intersection(traded)
    examples = [f"lost {trade}" for trade in sorted(lost, key=lambda trade: trade.id)[:EXAMPLES_MAX]]
    examples += [f"extra {trade}" for trade in stored if trade not in kept][:EXAMPLES_MAX]
    return Verdict(trades=len(traded), lost=len(lost), extra=len(stored) - len(kept), examples=tuple(examples))


def _judge_candles(store: Store, tape: Tape, instrument: Instrument, span: Span) -> Verdict:
    expected = _expected(tape, instrument, span)
    stored = {
        candle.open_time: replace(candle, observed_at=EPOCH, revision=0)
        for candle in store.candles(instrument, M1, start=span.start, end=span.end, limit=ROWS_MAX)
    }
    wrong = [time for time in sorted({*expected, *stored}) if expected.get(time) != stored.get(time)]
    examples = tuple(f"wrong {instrument.symbol} {time:%H:%M}: {_fault(stored.get(time))}" for time in wrong)
    return Verdict(candles=len(expected), wrong=len(wrong), examples=examples[:EXAMPLES_MAX])


def _expected(tape: Tape, instrument: Instrument, span: Span) -> dict[datetime, Candle]:
    bars = Bars(instrument.exchange, instrument.symbol, ids_contiguous=True)
    for trade in tape.trades(instrument.symbol, span):
        bars.add(trade)
    return {change.candle.open_time: replace(change.candle, source=Source.PROVEN) for change in bars.take()}


def _fault(stored: Candle | None) -> str:
    return "missing" if stored is None else f"{stored.source.label}, {stored.trades} trades"
