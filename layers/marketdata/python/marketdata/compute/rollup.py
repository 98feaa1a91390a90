"""Coarser candles from finer ones.

The database does the same in SQL when its queue of changes is drained; the in-memory store does it here, and one test
holds the two equal. Sums are exact however long they get.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, Inexact, InvalidOperation, Overflow
from itertools import groupby

from marketdata.compute.coverage import Spans, contains, union
from marketdata.model.candle import Candle, Source
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe

# Adding never needs to round; if it ever did, that is a bug and not a price.
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact, InvalidOperation, Overflow])


def roll_up(children: Sequence[Candle], timeframe: Timeframe, empty: Sequence[Span]) -> list[Candle]:
    """The `timeframe` candles of one instrument, sorted, one for every bucket that has at least one child.

    `children` are candles of one finer timeframe that divides `timeframe`, in any order, one a bucket. `empty` is the
    time in which the exchange confirmed no trades. A candle is as trusted as its least trusted child if children and
    `empty` leave no moment of its bucket unknown, else it is partial; its `observed_at` is its newest child's.
    """
    ordered = sorted(children, key=_open_time)
    assert len({(child.exchange, child.symbol, child.timeframe) for child in ordered}) <= 1, "children of one kind"
    assert all(timeframe.minutes % child.timeframe.minutes == 0 for child in ordered[:1]), "a timeframe that divides"
    known = union((Span(child.open_time, child.close_time) for child in ordered), empty)
    buckets = groupby(ordered, key=lambda child: timeframe.floor(child.open_time))
    return [_parent(list(members), timeframe, open_time, known) for open_time, members in buckets]


def _parent(children: Sequence[Candle], timeframe: Timeframe, open_time: datetime, known: Spans) -> Candle:
    """The candle of one bucket; `children` are sorted and not empty."""
    first, last = children[0], children[-1]
    whole = contains(known, Span(open_time, open_time + timeframe.duration))
    return Candle(
        exchange=first.exchange,
        symbol=first.symbol,
        timeframe=timeframe,
        open_time=open_time,
        open=first.open,
        high=max(child.high for child in children),
        low=min(child.low for child in children),
        close=last.close,
        volume=_sum(child.volume for child in children),
        quote_volume=_sum_if_known([child.quote_volume for child in children]),
        trades=_count_if_known([child.trades for child in children]),
        taker_buy_volume=_sum_if_known([child.taker_buy_volume for child in children]),
        first_id=min((child.first_id for child in children if child.first_id is not None), default=None),
        last_id=max((child.last_id for child in children if child.last_id is not None), default=None),
        source=min(child.source for child in children) if whole else Source.PARTIAL,
        observed_at=max(child.observed_at for child in children),
    )


def _sum(values: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for value in values:
        total = _EXACT.add(total, value)
    return total


def _sum_if_known(values: Sequence[Decimal | None]) -> Decimal | None:
    """The sum; None if one part is not known, because a sum without it would be wrong."""
    known = [value for value in values if value is not None]
    return _sum(known) if len(known) == len(values) else None


def _count_if_known(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _open_time(candle: Candle) -> datetime:
    return candle.open_time
