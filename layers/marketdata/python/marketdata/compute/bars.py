"""Trades of one instrument to candles of one timeframe. Called by the live feed, replay, ingest and every repair.

A candle is a pure function of the set of trades in its bucket: trades may come late, twice, in any order and in any
batching, and the candle is the same as if they had come once and in order. Buckets are cut by the exchange's trade
time; inside a bucket the order is (exchange time, trade id). Arithmetic is exact: no operation here can round.

Rank (docs/data-semantics.md): a candle is `proven` when every id from the one before its first trade to the one after
its last has been seen (or a heartbeat showed that no later trade exists), `live` when ids prove nothing but the
connection has held since before the bucket opened until after it closed, else `partial`. A connection holds from the
first moment of the exchange that it told of after it had acknowledged the subscription; what it repeats of the past on
subscribing is no such moment.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import getcontext, setcontext
from itertools import islice

from marketdata.compute.bucket import EXACT, Bucket
from marketdata.compute.buckets import LONG_AGO_NS, Buckets
from marketdata.compute.continuity import Contiguity, IdRuns, RecentTrades
from marketdata.compute.coverage import Spans, union
from marketdata.model.candle import Candle, Source
from marketdata.model.events import Heartbeat
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, Timeframe
from marketdata.model.times import NANOSECONDS_A_SECOND, nanoseconds, utc
from marketdata.model.trade import Side, Trade

# A heartbeat may overtake a trade inside the exchange: it proves that a bucket ended only this long after the end.
HEARTBEAT_GRACE_NS = 2 * NANOSECONDS_A_SECOND

LATE_TRADES_MAX = 10_000
ABSENT_MAX = 10_000
EMPTY_KEPT = 180


@dataclass(frozen=True, slots=True)
class Change:
    """A candle that is not as it was at the last `take`.

    `closed`: the exchange's time has passed the end of the bucket. `revised`: it had already been taken as closed.
    """

    candle: Candle
    closed: bool
    revised: bool


class Bars:
    """The candles of one instrument, fed with its trades and heartbeats.

    `ids_contiguous`: trade ids of this exchange count up by one (a run of them proves completeness); an aggregate then
    has the ids from its own to its `last_id`.
    `buckets_max` bounds memory: older buckets are forgotten, and trades for a forgotten bucket are handed out by
    `take_late` instead of reopening it. None keeps every bucket (replay, repair).
    """

    def __init__(
        self,
        exchange: str,
        symbol: str,
        timeframe: Timeframe = M1,
        *,
        ids_contiguous: bool,
        buckets_max: int | None = None,
    ) -> None:
        self.exchange = exchange
        self.symbol = symbol
        self.timeframe = timeframe
        self.seen = IdRuns()
        self.counts = Contiguity()
        self._recent = RecentTrades()
        self._absent: set[int] = set()
        self.cut = 0
        """Aggregates passed over because a part of them was seen before; the rest of their ids stays a hole."""
        self._ids_contiguous = ids_contiguous
        self._buckets = Buckets(timeframe, buckets_max)
        self._unsettled: set[int] = set()
        self._late: list[Trade] = []
        self._empty: list[Span] = []
        self._told_empty: deque[Span] = deque(maxlen=EMPTY_KEPT)
        self._time_ns = LONG_AGO_NS
        self._complete_until_ns = LONG_AGO_NS
        self._empty_until_ns = LONG_AGO_NS
        self._whole_since_ns: int | None = None
        self._acknowledged_at_ns: int | None = None
        self._stirred = False
        self._pending: list[Trade] = []
        # The door of the hot path: a bound C method, not a method of ours.
        self.add: Callable[[Trade], None] = self._pending.append
        """Take one trade; the work is done in batches, by `fold` and `take`."""

    @property
    def pending(self) -> int:
        """How many trades wait to be folded; callers bound it by calling `fold`."""
        return len(self._pending)

    @property
    def contiguity(self) -> Contiguity:
        """What the ids showed so far."""
        self.counts.holes = self.seen.jumps
        return self.counts

    @property
    def time(self) -> datetime:
        """The newest time that the exchange named; the epoch before it named any."""
        return utc(max(0, self._time_ns))

    def told(self) -> Spans:
        """The time of which the candle that is taken from here is as good as any: open, complete, or known empty."""
        mine = [one for one in self._buckets if not one.closed or one.source is not Source.PARTIAL]
        return union([*(Span(one.open_time, utc(one.end_ns)) for one in mine), *self._told_empty])

    def candle_at(self, open_time: datetime) -> Candle | None:
        """The bucket that opens then, as it is now; None if no trade fell into it, or it is forgotten."""
        bucket = self._buckets.get(nanoseconds(open_time))
        return None if bucket is None else bucket.candle(self.exchange, self.symbol, self.timeframe)

    @property
    def beginning(self) -> tuple[int, int] | None:
        """(first trade id, opening in nanoseconds) of the oldest bucket, while nothing before that trade was seen."""
        oldest = self._buckets.oldest
        if oldest is None or not self._ids_contiguous or self.seen.lowest != oldest.first_id:
            return None
        return oldest.first_id, oldest.start_ns

    def resume(self, first_id: int, last_id: int, close_ns: int) -> None:
        """Go on beside a proven bucket that ended at `close_ns` and holds exactly these ids, whatever is in memory.

        They count as seen; what lies between such buckets, or follows the last of them, is a hole.
        """
        known = self._buckets.get(close_ns - self.timeframe.duration_ns)
        if known is not None:
            self._put_away(known)
        self.account_for(first_id, last_id)
        self._buckets.note_end(close_ns, last_id)

    def account_for(self, first_id: int, last_id: int) -> None:
        """The trades with these ids, both included, are known not to be missing: they are elsewhere, or never were."""
        self.seen.add(first_id, last_id)
        self._stirred = True

    def note_absent(self, first_id: int, last_id: int) -> None:
        """The exchange says that no trades have these ids, both included; should one come all the same, it counts."""
        self.counts.absent += last_id - first_id + 1
        self._absent.update(range(first_id, last_id + 1)[: ABSENT_MAX - len(self._absent)])
        self.account_for(first_id, last_id)

    def give_up(self, first_id: int, last_id: int) -> None:
        """The trades with these ids, both included, will not come; the ledger says what became of their minutes.

        Unproven buckets around them stay as the store has them: here they would look whole from now on.
        """
        self.fold()
        for bucket in [one for one in self._buckets if one.touches(first_id, last_id)]:
            if not self._is_proven(bucket):
                self._put_away(bucket)
        self.account_for(first_id, last_id)

    def minutes_of_hole(self, first_id: int, last_id: int) -> Span | None:
        """The closed buckets in which trades of these ids, both included, can be; None if that is not known.

        From the one of the trade before to the one of the trade after, or to the newest time that the exchange named.
        """
        self.fold()
        start_ns = self._buckets.end_of_what_precedes(first_id, self._is_proven)
        end_ns = self._buckets.start_of_what_follows(last_id, self._is_proven, self._time_ns)
        if start_ns is None or start_ns >= end_ns:
            return None
        return Span(utc(start_ns), utc(end_ns))

    def acknowledged(self) -> None:
        """The exchange confirmed that the trades of this symbol flow; the past that it repeats came before this."""
        if self._acknowledged_at_ns is None:
            self.fold()
            self._acknowledged_at_ns = self._time_ns

    def heartbeat(self, heartbeat: Heartbeat) -> None:
        """The exchange's word on the time and on its newest trade id (None: it does not know)."""
        self.fold()
        self._stirred = True
        self._note_whole(heartbeat.time_ns)
        self._advance(heartbeat.time_ns)
        last_trade_id = heartbeat.last_trade_id
        if self._ids_contiguous and last_trade_id is not None and last_trade_id == self.seen.highest:
            self._complete_until_ns = max(self._complete_until_ns, heartbeat.time_ns - HEARTBEAT_GRACE_NS)

    def disconnected(self) -> None:
        """Trades may be missing from here on."""
        self.fold()
        self._stirred = True
        self._whole_since_ns = None
        self._acknowledged_at_ns = None

    def take(self) -> list[Change]:
        """The candles that are not as they were at the last take, oldest first."""
        self.fold()
        # Hundreds of quiet symbols are asked many times a second.
        if not self._stirred:
            return []
        self._stirred = False
        unsettled = [bucket for start_ns in sorted(self._unsettled) if (bucket := self._buckets.get(start_ns))]
        changes = [change for bucket in unsettled if (change := self._change(bucket))]
        self._note_trailing_emptiness()
        self._unsettled.difference_update(self._buckets.forget())
        return changes

    def take_empty(self) -> list[Span]:
        """The spans of whole buckets, found since last asked, in which the exchange's ids prove that nobody traded."""
        empty, self._empty = self._empty, []
        return empty

    def take_late(self) -> list[Trade]:
        """The trades, since last asked, of buckets that were already forgotten."""
        late, self._late = self._late, []
        return late

    def fold(self) -> None:
        """Work in the trades added since the last fold."""
        if not self._pending:
            return
        # The list object stays: `add` is bound to its append.
        trades = self._pending[:]
        self._pending.clear()
        self._recent.remember(trades)
        self._stirred = True
        # In the exact context the operators are exact, and take half the time of its methods.
        before = getcontext()
        setcontext(EXACT)
        try:
            at = 0
            while at < len(trades):
                at = self._fold_run(trades, at) or self._fold_one(trades, at)
        finally:
            setcontext(before)

    def _fold_run(self, trades: list[Trade], start: int) -> int:
        """Fold the run of consecutive ids from `start` on into the newest bucket; 0 if there is none, else its end.

        This loop is where the feed's time goes: everything it touches is a local name. Measured in docs/performance.md.
        """
        bucket, highest = self._buckets.newest, self.seen.highest
        if bucket is None or highest is None or not self._ids_contiguous:
            return 0
        expected = highest + 1
        end_ns, time_ns = bucket.end_ns, bucket.close_key[0]
        high, low, close = bucket.high, bucket.low, bucket.close
        volume, quote, buys, at = bucket.volume, bucket.quote_volume, bucket.taker_buy_volume, start
        buy = Side.BUY
        for trade in islice(trades, start, None):
            trade_ns = trade.time_ns
            if trade.id != expected or not time_ns <= trade_ns < end_ns:
                break
            # An aggregate has the ids of all the trades it stands for.
            expected += trade.count
            at += 1
            time_ns = trade_ns
            close = trade.price
            size = trade.size
            if close > high:
                high = close
            elif close < low:
                low = close
            volume += size
            quote += close * size
            if trade.side is buy:
                buys += size
        last_id = expected - 1
        if last_id == highest:
            return 0
        bucket.high, bucket.low, bucket.close = high, low, close
        bucket.volume, bucket.quote_volume, bucket.taker_buy_volume = volume, quote, buys
        bucket.trades += last_id - highest
        bucket.close_key = (time_ns, last_id)
        bucket.last_id = last_id
        self.seen.add(highest + 1, last_id)
        self.counts.trades += last_id - highest
        self._touch(bucket, time_ns)
        return at

    def _fold_one(self, trades: list[Trade], at: int) -> int:
        """Fold one trade that may be early, late, repeated or the first of its bucket; returns the next position."""
        trade = trades[at]
        start_ns = self.timeframe.floor_ns(trade.time_ns)
        bucket = self._buckets.get(start_ns)
        if self._is_repeated(trade, bucket):
            self.counts.duplicates += 1
            self.counts.conflicting += self._recent.contradicts(trade)
            return at + 1
        if self._is_cut(trade):
            self.cut += 1
            return at + 1
        self.counts.trades += trade.count
        if bucket is None and self._buckets.is_settled(start_ns):
            self._set_aside(trade)
            return at + 1
        bucket = bucket or self._buckets.open(trade, start_ns)
        self._note_seen(bucket, trade)
        bucket.join(trade)
        self._note_whole(trade.time_ns)
        self._touch(bucket, trade.time_ns)
        return at + 1

    def _is_repeated(self, trade: Trade, bucket: Bucket | None) -> bool:
        if self._ids_contiguous:
            return self.seen.covers(trade.id, trade.last_id) and not self._never_was(trade)
        return bucket is not None and trade.id in bucket.ids

    def _is_cut(self, trade: Trade) -> bool:
        """Whether some of an aggregate's trades were seen without it: what the others had in it cannot be told."""
        if trade.count == 1 or not self._ids_contiguous or not self.seen.touches(trade.id, trade.last_id):
            return False
        return not self._never_was(trade)

    def _never_was(self, trade: Trade) -> bool:
        """Whether all that counts as seen of a trade's ids is what the exchange said never was."""
        if not self._absent:
            return False
        ids = range(trade.id, trade.last_id + 1)
        return all(one in self._absent or not self.seen.covers(one, one) for one in ids)

    def is_settled(self, open_time: datetime) -> bool:
        """Whether the store alone has the bucket that opens then: a trade that comes now must not open it anew."""
        return self._buckets.is_settled(nanoseconds(open_time))

    def _note_seen(self, bucket: Bucket, trade: Trade) -> None:
        if not self._ids_contiguous:
            bucket.ids.add(trade.id)
            return
        newest = self._buckets.newest
        assert newest is not None
        self.counts.backwards += bucket.is_overtaken_by(trade) or newest.is_overtaken_by(trade)
        self._note_id(trade)

    def _note_id(self, trade: Trade) -> None:
        self.seen.add(trade.id, trade.last_id)
        if self._absent:
            self._absent.difference_update(range(trade.id, trade.last_id + 1))

    def _touch(self, bucket: Bucket, time_ns: int) -> None:
        bucket.changed = True
        self._unsettled.add(bucket.start_ns)
        self._advance(time_ns)

    def _set_aside(self, trade: Trade) -> None:
        if self._ids_contiguous:
            self._note_id(trade)
        if len(self._late) < LATE_TRADES_MAX:
            self._late.append(trade)

    def _advance(self, time_ns: int) -> None:
        self._time_ns = max(self._time_ns, time_ns)

    def _note_whole(self, time_ns: int) -> None:
        since_ns = self._acknowledged_at_ns
        # What is no later than what was heard before is history, or tells of a moment before this connection.
        if self._whole_since_ns is None and since_ns is not None and time_ns > since_ns:
            self._whole_since_ns = time_ns

    def _change(self, bucket: Bucket) -> Change | None:
        closed = bucket.end_ns <= self._time_ns
        source = self._source(bucket, closed)
        if closed and source is not Source.PARTIAL:
            self._unsettled.discard(bucket.start_ns)
        self._note_emptiness_before(bucket)
        if not bucket.changed and closed is bucket.closed and source is bucket.source:
            return None
        revised = bucket.closed
        bucket.changed, bucket.closed, bucket.source = False, closed, source
        candle = bucket.candle(self.exchange, self.symbol, self.timeframe)
        return Change(candle, closed, revised)

    def _source(self, bucket: Bucket, closed: bool) -> Source:
        if self._ids_contiguous:
            return Source.PROVEN if self._is_proven(bucket) else Source.PARTIAL
        if bucket.source is Source.LIVE:
            return Source.LIVE
        since_ns = self._whole_since_ns
        whole = closed and since_ns is not None and since_ns <= bucket.start_ns
        return Source.LIVE if whole else Source.PARTIAL

    def _is_proven(self, bucket: Bucket) -> bool:
        if self.seen.covers(bucket.first_id - 1, bucket.last_id + 1):
            return True
        quiet = bucket.last_id == self.seen.highest and self._complete_until_ns >= bucket.end_ns
        return quiet and self.seen.covers(bucket.first_id - 1, bucket.last_id)

    def _note_emptiness_before(self, bucket: Bucket) -> None:
        before = None if bucket.joined else self._buckets.end_before(bucket)
        if before is not None and self._ids_contiguous and self.seen.covers(before[1], bucket.first_id):
            bucket.joined = True
            self._note_empty(before[0], bucket.start_ns)

    def _note_trailing_emptiness(self) -> None:
        """From the end of the newest bucket, in memory or beside it, until the exchange said that it is the newest."""
        known = self._buckets.ends_with(self.seen.highest)
        if not known or self._complete_until_ns <= max(known):
            return
        start_ns = max(*known, self._empty_until_ns)
        end_ns = self.timeframe.floor_ns(self._complete_until_ns)
        if start_ns < end_ns:
            self._empty_until_ns = end_ns
            self._note_empty(start_ns, end_ns)

    def _note_empty(self, start_ns: int, end_ns: int) -> None:
        if start_ns < end_ns:
            span = Span(utc(start_ns), utc(end_ns))
            self._empty.append(span)
            self._told_empty.append(span)

    def _put_away(self, bucket: Bucket) -> None:
        self._unsettled.discard(bucket.start_ns)
        self._buckets.put_away(bucket)
