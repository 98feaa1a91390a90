"""A store that lives as long as its process: simulations, replays and tests run on it.

It means what the database means, down to what changes only when the queue is drained; tests/contract/test_store.py
holds the two equal.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from threading import RLock

from marketdata.compute import rollup
from marketdata.compute.coverage import Spans, clip, subtract, union
from marketdata.compute.merge import merge
from marketdata.errors import NotFound, StoreError
from marketdata.model.candle import Candle
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, Timeframe, timeframe_named
from marketdata.model.times import nanoseconds, utc
from marketdata.model.trade import Trade
from marketdata.store.limits import candle_refused, check_limit, instrument_refused, trade_refused
from marketdata.store.sorted_map import SortedMap
from marketdata.store.store import Coverage, FeedStatus

_DAY = timeframe_named("1d")

Key = tuple[str, str]
"""(exchange, symbol)."""


class MemoryStore:
    """The Store protocol in memory; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._instruments: dict[Key, Instrument] = {}
        self._rows: defaultdict[tuple[Key, Timeframe], SortedMap[_Row]] = defaultdict(SortedMap)
        self._trades: defaultdict[Key, SortedMap[Trade]] = defaultdict(SortedMap)
        self._covered: defaultdict[Key, Spans] = defaultdict(tuple)
        self._empty: defaultdict[Key, Spans] = defaultdict(tuple)
        # 1m time that changed since it was last rolled up, one entry per instrument and day, oldest change first.
        self._dirty: dict[tuple[Key, datetime], Spans] = {}
        self._feeds: dict[tuple[str, str], FeedStatus] = {}

    def instruments(self, *, active_only: bool = False) -> list[Instrument]:
        """See Store."""
        with self._lock:
            known = [self._instruments[key] for key in sorted(self._instruments)]
        return [instrument for instrument in known if instrument.active or not active_only]

    def put_instruments(self, instruments: Sequence[Instrument]) -> None:
        """See Store. Raises: StoreError for one that cannot be followed; then nothing was written."""
        _refuse("put_instruments", map(instrument_refused, instruments))
        with self._lock:
            self._instruments.update({instrument.key: instrument for instrument in instruments})

    def put_candles(self, candles: Sequence[Candle]) -> None:
        """See Store. Raises: also StoreError for a candle that cannot be; then nothing was written."""
        with self._lock:
            self._require((candle.exchange, candle.symbol) for candle in candles)
            _refuse("put_candles", map(candle_refused, candles))
            for candle in candles:
                self._write(_Row(candle, derived=False))

    def candles(
        self,
        instrument: Instrument,
        timeframe: Timeframe,
        *,
        start: datetime | None,
        end: datetime | None,
        limit: int,
        newest_first: bool = False,
    ) -> list[Candle]:
        """See Store."""
        check_limit(limit)
        with self._lock:
            self._require([instrument.key])
            rows = self._rows[instrument.key, timeframe]
            return [row.candle for row in rows.between(start, end, limit=limit, newest_first=newest_first)]

    def put_trades(self, exchange: str, trades: Sequence[Trade]) -> None:
        """See Store. Times are kept to the microsecond, as the database keeps them."""
        with self._lock:
            self._require((exchange, trade.symbol) for trade in trades)
            _refuse("put_trades", map(trade_refused, trades))
            for trade in trades:
                kept, key = self._trades[exchange, trade.symbol], (utc(trade.time_ns), trade.id)
                if key not in kept:
                    kept.put(key, _to_the_microsecond(trade))

    def trades(self, instrument: Instrument, span: Span, *, limit: int) -> list[Trade]:
        """See Store."""
        check_limit(limit)
        with self._lock:
            self._require([instrument.key])
            # A key of a time alone sorts before every (time, id).
            return list(self._trades[instrument.key].between((span.start,), (span.end,), limit=limit))

    def mark_empty(self, instrument: Instrument, timeframe: Timeframe, spans: Sequence[Span]) -> None:
        """See Store. A minute that has a candle, whatever its source, is not empty."""
        with self._lock:
            self._require([instrument.key])
            held = [row.span for span in spans for row in self._rows_between(instrument.key, M1, span)]
            self._empty[instrument.key] = union(self._empty[instrument.key], subtract(spans, held))
            self._mark_dirty(instrument.key, spans)

    def coverage(self, instrument: Instrument, timeframe: Timeframe, span: Span) -> Coverage:
        """See Store."""
        with self._lock:
            self._require([instrument.key])
            key = instrument.key
            return Coverage(covered=clip(self._covered[key], span), empty=clip(self._empty[key], span))

    def roll_up(self, *, limit: int = 2000) -> int | None:
        """See Store; never None, because the lock is waited for."""
        with self._lock:
            taken = list(islice(self._dirty, limit))
            changed: defaultdict[Key, list[Span]] = defaultdict(list)
            for entry in taken:
                changed[entry[0]].extend(self._dirty.pop(entry))
            for key, spans in changed.items():
                self._cover(key, union(spans))
                self._cascade(self._instruments[key], union(spans))
            return len(taken)

    def ensure_partitions(self, span: Span) -> None:
        """See Store; memory has room for any time."""

    def put_feed_status(self, status: FeedStatus) -> None:
        """See Store."""
        with self._lock:
            self._feeds[status.exchange, status.feed_id] = status

    def feed_statuses(self) -> list[FeedStatus]:
        """See Store."""
        with self._lock:
            by_name = [self._feeds[key] for key in sorted(self._feeds)]
        return sorted(by_name, key=lambda status: status.updated_at, reverse=True)

    def ping(self) -> None:
        """See Store; memory is always there."""

    def _require(self, keys: Iterable[Key]) -> None:
        for exchange, symbol in keys:
            if (exchange, symbol) not in self._instruments:
                raise NotFound("symbol", f"{symbol} of {exchange} is not followed here")

    def _write(self, row: "_Row") -> None:
        """Insert or merge one row, and remember the minute if that changed anything."""
        candle = row.candle
        rows = self._rows[row.key, candle.timeframe]
        old = rows.get(candle.open_time)
        kept = _settle(old, row) if old else _Row(replace(candle, revision=1), row.derived)
        if kept == old:
            return
        rows.put(candle.open_time, kept)
        if candle.timeframe == M1:
            self._mark_dirty(row.key, [row.span])

    def _mark_dirty(self, key: Key, spans: Iterable[Span]) -> None:
        for part in _by_day(spans):
            day = (key, _DAY.floor(part.start))
            self._dirty[day] = union(self._dirty.get(day, ()), [part])

    def _cover(self, key: Key, changed: Spans) -> None:
        """Learn anew which of the changed minutes are held."""
        rows = [row for span in changed for row in self._rows_between(key, M1, span)]
        held = (row.span for row in rows if row.candle.complete)
        self._covered[key] = union(subtract(self._covered[key], changed), held)
        self._empty[key] = subtract(self._empty[key], (row.span for row in rows))

    def _cascade(self, instrument: Instrument, changed: Spans) -> None:
        """Make every kept timeframe anew from the coarsest finer one that divides it, finest first."""
        kept = sorted(instrument.timeframes, key=lambda timeframe: timeframe.minutes)
        for place, timeframe in enumerate(kept[1:], start=1):
            finer = next(one for one in reversed(kept[:place]) if timeframe.minutes % one.minutes == 0)
            for span in union(Span(timeframe.floor(one.start), timeframe.ceil(one.end)) for one in changed):
                self._roll_up_span(instrument.key, finer, timeframe, span)

    def _roll_up_span(self, key: Key, finer: Timeframe, timeframe: Timeframe, span: Span) -> None:
        """Make the candles of `span`, which begins and ends at bucket edges."""
        children = [row.candle for row in self._rows_between(key, finer, span)]
        for parent in rollup.roll_up(children, timeframe, clip(self._empty[key], span)):
            self._write(_Row(parent, derived=True))

    def _rows_between(self, key: Key, timeframe: Timeframe, span: Span) -> "Iterable[_Row]":
        return self._rows[key, timeframe].between(timeframe.floor(span.start), span.end)


@dataclass(frozen=True, slots=True)
class _Row:
    """A candle, and whether it was rolled up from finer ones rather than reported."""

    candle: Candle
    derived: bool

    @property
    def key(self) -> Key:
        return (self.candle.exchange, self.candle.symbol)

    @property
    def span(self) -> Span:
        return Span(self.candle.open_time, self.candle.close_time)


def _settle(old: _Row, new: _Row) -> _Row:
    """The merge rule with rolled up rows in it: between equals a report beats a rollup, and a rollup is made anew."""
    if not (old.derived or new.derived):
        return _Row(merge(old.candle, new.candle), derived=False)
    revision = old.candle.revision
    kept = _choose(old, new)
    if replace(kept, candle=replace(kept.candle, revision=revision)) == old:
        return old
    return replace(kept, candle=replace(kept.candle, revision=revision + 1))


def _choose(old: _Row, new: _Row) -> _Row:
    if old.derived and new.derived:
        return new
    return max(old, new, key=lambda row: (row.candle.source, row.candle.observed_at, not row.derived))


def _by_day(spans: Iterable[Span]) -> Iterable[Span]:
    """The same time, cut at UTC midnights."""
    for span in spans:
        start = span.start
        while start < span.end:
            end = min(span.end, _DAY.floor(start) + _DAY.duration)
            yield Span(start, end)
            start = end


def _to_the_microsecond(trade: Trade) -> Trade:
    return Trade(
        trade.symbol, trade.id, nanoseconds(utc(trade.time_ns)), trade.price, trade.size, trade.side, trade.count
    )


def _refuse(operation: str, reasons: Iterable[str | None]) -> None:
    """Raises: StoreError with the first reason there is."""
    reason = next((reason for reason in reasons if reason), None)
    if reason:
        raise StoreError(operation, reason)
