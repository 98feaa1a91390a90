"""Folding by columns gives what folding quote by quote gives."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from marketdata.compute.coverage import union
from marketdata.compute.fold_columns import fold_columns
from marketdata.compute.quote_bars import QuoteBars
from marketdata.model.candle import Source
from marketdata.model.quote import PriceSide
from marketdata.model.quote_columns import QuoteColumns
from marketdata.model.span import Span
from marketdata.model.times import utc

HOUR_NS = 3_600 * 10**9
TICK = st.tuples(st.integers(0, 3_599_999), *[st.integers(1, 300_000)] * 2, *[st.integers(0, 10**7)] * 2)


def columns(ticks: list[tuple[int, ...]]) -> QuoteColumns:
    rows = sorted(ticks, key=lambda tick: tick[0])
    times, bids, asks, bid_sizes, ask_sizes = zip(*rows, strict=True) if rows else ((),) * 5
    sizes = ([Decimal(size) for size in column] for column in (bid_sizes, ask_sizes))
    return QuoteColumns("EURUSD", 5 * HOUR_NS, 5, times, bids, asks, *sizes)


@given(st.lists(TICK, max_size=30), st.sampled_from(PriceSide))
def test_both_ways_give_the_same_candles(ticks: list[tuple[int, ...]], side: PriceSide) -> None:
    hour = columns(ticks)
    bars = QuoteBars("dukascopy", "X", side)
    bars.add(hour.quotes())
    whole = union([Span(utc(5 * HOUR_NS), utc(6 * HOUR_NS))])
    assert fold_columns(hour, "dukascopy", "X", side, Source.VENUE) == bars.candles(whole, Source.VENUE)
