"""Two reports of one bucket become one candle: the merge rule of the store, in Python.

The database runs the same rule as a trigger on every update, so that it binds every writer; see
docs/data-semantics.md. Here it serves the in-memory store, and joins equal keys before a batch is sent. The rule is
commutative, associative and idempotent over everything but `revision`, so the order of reports never matters.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from math import inf
from typing import Protocol, Self, TypeVar

from marketdata.model.candle import Candle


def merge(old: Candle, new: Candle) -> Candle:
    """What is kept of a bucket after `new` arrives where `old` is; both made from reports, neither rolled up.

    The higher (source, observed_at) wins whole; equal ones join field by field. `revision` is `old`'s, one higher
    if anything else changed; what `new` says of its revision is ignored.
    """
    assert _key(old) == _key(new), (old, new)
    kept = replace(_choose(old, new), revision=old.revision)
    return old if kept == old else replace(kept, revision=old.revision + 1)


def _choose(old: Candle, new: Candle) -> Candle:
    old_rank, new_rank = (old.source, old.observed_at), (new.source, new.observed_at)
    if new_rank == old_rank:
        return join(old, new)
    return new if new_rank > old_rank else old


def join(one: Candle, other: Candle) -> Candle:
    """Two equally trusted reports, field by field: each may have seen what the other missed."""
    first = min(one, other, key=_opening)
    last = max(one, other, key=_closing)
    return replace(
        one,
        open=first.open,
        first_id=first.first_id,
        close=last.close,
        last_id=last.last_id,
        high=max(one.high, other.high),
        low=min(one.low, other.low),
        volume=max(one.volume, other.volume),
        quote_volume=_known(max, one.quote_volume, other.quote_volume),
        taker_buy_volume=_known(max, one.taker_buy_volume, other.taker_buy_volume),
        trades=_known(max, one.trades, other.trades),
    )


def _opening(candle: Candle) -> tuple[float, Decimal]:
    """Smallest trade id first; a report without ids comes after every report with one; then the smaller price."""
    return (inf if candle.first_id is None else candle.first_id, candle.open)


def _closing(candle: Candle) -> tuple[float, Decimal]:
    """Largest trade id last; a report without ids comes before every report with one; then the larger price."""
    return (-inf if candle.last_id is None else candle.last_id, candle.close)


class _Ordered(Protocol):
    def __lt__(self, other: Self, /) -> bool: ...


_Value = TypeVar("_Value", bound=_Ordered)


def _known(choose: Callable[[_Value, _Value], _Value], one: _Value | None, other: _Value | None) -> _Value | None:
    """The choice between two values, where not knowing loses to any value."""
    if one is None or other is None:
        return other if one is None else one
    return choose(one, other)


def _key(candle: Candle) -> tuple[object, ...]:
    return (candle.exchange, candle.symbol, candle.timeframe, candle.open_time)
