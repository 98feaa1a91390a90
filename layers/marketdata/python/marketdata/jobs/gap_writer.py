"""Writes what was found out about one gap, and remembers it, so that nothing else is ever taken for done."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from marketdata.compute.coverage import Spans, clip, subtract, union
from marketdata.model.candle import Candle
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Trade
from marketdata.store.store import Store

CANDLES_A_WRITE = 300
ROWS_A_READ = 10_000
NOTES_MAX = 5


class GapWriter:
    """The minutes of `instrument` that one attempt fills in: `covered` by candles, or `empty`; `notes` say why not."""

    def __init__(self, store: Store, instrument: Instrument, wanted: Span, *, keep_trades: bool = False) -> None:
        self.instrument = instrument
        self.wanted = wanted
        self.covered: Spans = ()
        self.empty: Spans = ()
        self.candles = 0
        self.minutes_empty = 0
        self.notes: list[str] = []
        self.waits: Spans = ()
        """What only the market's next trade will tell: nothing is known of any since."""
        self._keep_trades = keep_trades
        self._store = store
        self._waiting: list[Candle] = []

    def learn(self) -> None:
        """Take what the store already knows, for instance from a worker that died before it could say so."""
        self._store.roll_up()
        known = self._store.coverage(self.instrument, M1, self.wanted)
        self.covered = union(self.covered, known.covered)
        self.empty = union(self.empty, known.empty)

    @property
    def remaining(self) -> Spans:
        """What is neither covered nor empty; candles that wait for `flush` count as missing."""
        return subtract((self.wanted,), union(self.covered, self.empty))

    def put(self, candles: Iterable[Candle]) -> None:
        """Take candles above partial; those outside what is wanted are dropped. Written in batches: see `flush`."""
        self._waiting += [one for one in candles if one.complete and one.open_time in self.wanted]
        if len(self._waiting) >= CANDLES_A_WRITE:
            self.flush()

    def put_trades(self, trades: Iterable[Trade]) -> None:
        """Keep the trades of what is wanted, where trades are kept."""
        first, end = nanoseconds(self.wanted.start), nanoseconds(self.wanted.end)
        inside = [trade for trade in trades if first <= trade.time_ns < end] if self._keep_trades else []
        if inside:
            self._store.put_trades(self.instrument.exchange, inside)

    def flush(self) -> None:
        """Write what waits."""
        candles, self._waiting = self._waiting, []
        if candles:
            self._store.put_candles(candles)
            self.candles += len(candles)
            self.covered = union(self.covered, (Span(one.open_time, one.close_time) for one in candles))

    def mark_empty(self, spans: Sequence[Span]) -> None:
        """Record confirmed emptiness, but for minutes of which the store has trades: there someone is wrong."""
        self.flush()
        inside = clip(spans, self.wanted)
        silent = subtract(inside, self._held(inside))
        if silent:
            self._store.mark_empty(self.instrument, M1, silent)
            self.empty = union(self.empty, silent)
            self.minutes_empty += minutes_in(silent)
        doubtful = subtract(inside, union(silent, self.covered))
        if doubtful:
            self.note(f"no trades, says the exchange of {doubtful[0].start:%Y-%m-%d %H:%M}, but some were seen")

    def note(self, reason: str) -> None:
        """Remember why something could not be had."""
        if reason not in self.notes and len(self.notes) < NOTES_MAX:
            self.notes.append(reason)

    def _held(self, spans: Spans) -> list[Span]:
        """The minutes in `spans` that have a candle of any source."""
        held: list[Span] = []
        for span in spans:
            start = span.start
            while start < span.end:
                rows = self._store.candles(self.instrument, M1, start=start, end=span.end, limit=ROWS_A_READ)
                held += [Span(row.open_time, row.close_time) for row in rows]
                start = rows[-1].close_time if len(rows) == ROWS_A_READ else span.end
        return held


def minutes_in(spans: Iterable[Span]) -> int:
    """How many minutes they are long together."""
    return sum((span.end - span.start) // timedelta(minutes=1) for span in spans)
