"""Days of trades into the database, with the candles that they prove and the exchange's own beside them.

A month is loaded in one transaction: trades by day, candles, what is known to be empty and what is missing, or nothing
of it. Candles are made of trades by the same bars as live ones; where trades prove nothing (the first minute, a day
without a file) the exchange's own candle stands in, and where both are there they are compared. An import that is
killed anywhere and run again ends in the same rows as one that was not.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby

import psycopg
from marketdata.clock import Clock
from marketdata.compute.bars import Bars
from marketdata.compute.coverage import Spans, contains, intersect, subtract, union
from marketdata.compute.months import day_of, month_of
from marketdata.errors import RemoteMalformed
from marketdata.exchanges.exchange import TradeArchive
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.times import nanoseconds, rfc3339
from marketdata.model.trade import Trade

from local.imports.batches import batches
from local.imports.books import Books
from local.imports.copy_text import candle_lines, tick_lines
from local.imports.day_plan import DayFile
from local.imports.held_trades import HeldTrades
from local.imports.imported import Imported
from local.imports.library import FileState, Library
from local.imports.partition import CANDLES, TICKS, PartitionLoad
from local.imports.plan import Absence, Plan, absence

BUCKETS_KEPT = 2_000
"""How many minutes a late trade may be of: more than a day."""
TRADES_A_CHUNK = CANDLES_A_CHUNK = 5_000
DIFFERING_MAX = 1_000


@dataclass(slots=True)
class _Month:
    """What the files of one month gave."""

    ours: dict[datetime, Candle] = field(default_factory=dict)
    theirs: dict[datetime, Candle] = field(default_factory=dict)
    told: list[Span] = field(default_factory=list)
    """Days of which the exchange's candles were had: what has none was empty."""
    absent: list[Span] = field(default_factory=list)
    empty: list[Span] = field(default_factory=list)
    """What ids prove to be empty."""

    def best(self) -> list[Candle]:
        """Of each minute the candle of the higher rank, oldest first."""
        times = sorted(self.ours.keys() | self.theirs.keys())
        return [max(self._of(time), key=lambda candle: candle.source) for time in times]

    def _of(self, time: datetime) -> list[Candle]:
        return [candles[time] for candles in (self.theirs, self.ours) if time in candles]


class DayImport:
    """Loads what a library holds of one plan. `connection` is in autocommit; the months' transactions are made here."""

    def __init__(
        self,
        connection: psycopg.Connection,
        archive: TradeArchive,
        library: Library,
        plan: Plan[DayFile],
        *,
        instrument: Instrument,
        clock: Clock,
        keep_ticks: bool,
    ) -> None:
        self.done = Imported()
        self.exchange = archive.name
        self._connection = connection
        self._archive = archive
        self._instrument = instrument
        self._library = library
        self._plan = plan
        self._clock = clock
        self._books = Books(connection, clock)
        self._keep_ticks = keep_ticks
        # One set of bars for all months: the last minute of one is proven by the first trade of the next.
        self._bars = Bars(*instrument.key, ids_contiguous=True, buckets_max=BUCKETS_KEPT)
        self._observed: dict[datetime, datetime] = {}
        """As of when the trades of a day are known."""
        self._told: Spans = ()
        self._number: int | None = None

    def load(self, span: Span) -> None:
        """Load `span`, which lies in one month and was fetched, in one transaction."""
        number = self._number = self._number or self._books.number_of_new(self._instrument)
        month = _Month()
        with self._connection.transaction():
            for file in self._plan.files_in(span):
                self._read(file, month, number)
            self._compare(month)
            candles = month.best()
            attached = self._load_candles(candles, span, number)
            self._explain(month, candles, span, number)
        self.done.months += 1
        self.done.months_attached += attached

    def finish(self) -> None:
        """Bring rollups and coverage up to date, and take off the ledger what is held by now."""
        self._books.close()

    def _read(self, file: DayFile, month: _Month, number: int) -> None:
        entry = self._library.last(file.place)
        assert entry is not None, file
        why = absence(entry, file, self._plan.closed)
        if why is None and file.of_trades and not self._could_read_trades(file, month, number):
            why = Absence.MISSING
        self.done.note_absence(why)
        if why is not None:
            month.absent.append(file.span)
        elif not file.of_trades:
            month.told.append(file.span)
            month.theirs |= {one.open_time: one for one in self._candles_of(file)}

    def _candles_of(self, file: DayFile) -> list[Candle]:
        body = self._library.body(file.place)
        observed_at = self._observed_at(file)
        found = self._archive.parse_candles(body, self._instrument.symbol, M1, observed_at)
        return [one for one in found if one.open_time in file.span]

    def _could_read_trades(self, file: DayFile, month: _Month, number: int) -> bool:
        """Of a file that cannot be read to its end nothing is kept, and the next run fetches it anew."""
        try:
            with self._connection.transaction():
                self._read_trades(file, month, number)
        except RemoteMalformed as malformed:
            reason = f"{malformed.reason}: {malformed.excerpt}"
            self._library.note(file.place, FileState.ABSENT, self._clock.now(), reason)
            return False
        return True

    def _read_trades(self, file: DayFile, month: _Month, number: int) -> None:
        self._observed[file.span.start] = self._observed_at(file)
        if self._keep_ticks:
            # Asked now, as nothing can be asked in the middle of a COPY.
            held = HeldTrades(self._connection, number, file.span)
            lines = (tick_lines(held.without(trades), number) for trades in self._into_bars(file))
            PartitionLoad(self._connection, TICKS, file.span.start).load(lines)
        else:
            for _ in self._into_bars(file):
                continue
        if self._bars.seen.lowest == 0:
            # There is no trade before the first, which has the id 0 where there is an archive.
            self._bars.account_for(-1, -1)
        for change in self._bars.take():
            opens = change.candle.open_time
            observed_at = self._observed.get(day_of(opens).start, file.span.end)
            month.ours[opens] = replace(change.candle, observed_at=observed_at)
        month.empty += self._bars.take_empty()

    def _into_bars(self, file: DayFile) -> Iterator[list[Trade]]:
        """The trades of a file, some at a time, each of them in the bars by then. Raises: RemoteMalformed."""
        body, start_ns, end_ns = (
            self._library.body(file.place),
            nanoseconds(file.span.start),
            nanoseconds(file.span.end),
        )
        for trades in batches(self._archive.parse_trades(body, self._instrument.symbol), TRADES_A_CHUNK):
            if not all(start_ns <= trade.time_ns < end_ns for trade in trades):
                raise RemoteMalformed(self.exchange, f"{file.place}: a trade of another day", str(trades[0]))
            for trade in trades:
                self._bars.add(trade)
            self._bars.fold()
            self.done.ticks += len(trades)
            yield trades

    def _observed_at(self, file: DayFile) -> datetime:
        """An archive speaks as of the end of its file; a file that has changed since, as of when that was seen."""
        entry = self._library.last(file.place)
        return entry.revised_at if entry and entry.revised_at else file.span.end

    def _compare(self, month: _Month) -> None:
        for time, ours in sorted(month.ours.items()):
            theirs = month.theirs.get(time)
            if theirs is None or ours.source is not Source.PROVEN or _figures(ours) == _figures(theirs):
                continue
            if len(self.done.differing) < DIFFERING_MAX:
                self.done.differing.append(
                    f"{rfc3339(time)}: the trades make {_text(ours)}, the exchange says {_text(theirs)}"
                )

    def _load_candles(self, candles: Iterable[Candle], span: Span, number: int) -> bool:
        """Whether the month was new. The minute before it may be among them, proven by now: it is merged."""
        attached = False
        for start, rows in groupby(candles, key=lambda candle: month_of(candle.open_time).start):
            lines = (candle_lines(some, number) for some in batches(rows, CANDLES_A_CHUNK))
            loaded = PartitionLoad(self._connection, CANDLES, start).load(lines)
            self.done.candles += loaded.rows
            attached = loaded.attached and start == month_of(span.start).start
        self._books.make_room(span)
        return attached

    def _explain(self, month: _Month, candles: Iterable[Candle], span: Span, number: int) -> None:
        """Minutes of which the exchange says that they were empty are; what is not proven and not told is a gap."""
        known = [one for one in candles if one.source is not Source.PARTIAL]
        self._told = union(self._told, month.told)
        doubtful = [one for one in candles if one.source is Source.PARTIAL]
        # Of the month before, whose last minute may be told anew, the exchange's candles are in the database.
        doubtful = [one for one in doubtful if one.open_time >= span.start or not contains(self._told, _span(one))]
        if span.end != self._plan.span.end:
            # The trades of the next month tell whether the last minute is whole.
            doubtful = [one for one in doubtful if one.close_time < span.end]
        held = union(_span(one) for one in candles)
        empty = subtract(union(month.told, intersect(month.empty, [self._plan.span])), held)
        missing = union(subtract(month.absent, union(held, empty)), map(_span, doubtful))
        self._books.mark_empty(number, empty)
        self._books.record_missing(number, missing)
        self.done.missing = subtract(union(self.done.missing, missing), map(_span, known))


def _span(candle: Candle) -> Span:
    return Span(candle.open_time, candle.close_time)


def _figures(candle: Candle) -> tuple[object, ...]:
    return candle.open, candle.high, candle.low, candle.close, candle.volume, candle.trades


def _text(candle: Candle) -> str:
    return " ".join(map(str, _figures(candle)))
