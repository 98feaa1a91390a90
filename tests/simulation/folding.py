"""Candles by plain loops over trades, for the oracle: nothing of the engine's own arithmetic is used."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from marketdata.model.candle import Candle
from marketdata.model.span import Span
from marketdata.model.trade import Side, Trade

MINUTE = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Figures = tuple[Decimal, Decimal, Decimal, Decimal, Decimal, Decimal, int, Decimal, int, int]
"""Open, high, low, close, volume, quote volume, trades, taker's buy volume, first id, last id."""


def minute_of(trade: Trade) -> datetime:
    """When the minute of a trade opens."""
    time = _EPOCH + timedelta(microseconds=trade.time_ns // 1000)
    return time.replace(second=0, microsecond=0)


def fold(trades: Sequence[Trade]) -> dict[datetime, Figures]:
    """The minutes of these trades, by opening."""
    buckets: dict[datetime, list[Trade]] = {}
    for trade in trades:
        buckets.setdefault(minute_of(trade), []).append(trade)
    return {opening: _fold_bucket(members) for opening, members in buckets.items()}


def _fold_bucket(trades: list[Trade]) -> Figures:
    ordered = sorted(trades, key=lambda trade: (trade.time_ns, trade.id))
    volume = quote_volume = bought = Decimal(0)
    for trade in ordered:
        volume += trade.size
        quote_volume += trade.price * trade.size
        if trade.side is Side.BUY:
            bought += trade.size
    prices, ids = [trade.price for trade in ordered], [trade.id for trade in ordered]
    first, last = min(ids), max(ids)
    return (
        prices[0],
        max(prices),
        min(prices),
        prices[-1],
        volume,
        quote_volume,
        len(ordered),
        bought,
        first,
        last,
    )


def figures(candle: Candle) -> tuple[object, ...]:
    """What a candle says, in the order of Figures."""
    return (
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        candle.volume,
        candle.quote_volume,
        candle.trades,
        candle.taker_buy_volume,
        candle.first_id,
        candle.last_id,
    )


def steps(span: Span, length: timedelta) -> Iterator[datetime]:
    """The openings inside `span`."""
    opening = span.start
    while opening < span.end:
        yield opening
        opening += length


def parent_figures(children: Sequence[Candle]) -> tuple[object, ...]:
    """What a coarser candle over these, in order, has to say; what one of them does not know, it does not know."""
    volumes = [child.volume for child in children]
    quotes = [child.quote_volume for child in children]
    counts = [child.trades for child in children]
    buys = [child.taker_buy_volume for child in children]
    firsts = [child.first_id for child in children if child.first_id is not None]
    lasts = [child.last_id for child in children if child.last_id is not None]
    return (
        children[0].open,
        max(child.high for child in children),
        min(child.low for child in children),
        children[-1].close,
        sum(volumes, Decimal(0)),
        None if None in quotes else sum((one for one in quotes if one is not None), Decimal(0)),
        None if None in counts else sum(one for one in counts if one is not None),
        None if None in buys else sum((one for one in buys if one is not None), Decimal(0)),
        min(firsts, default=None),
        max(lasts, default=None),
    )
