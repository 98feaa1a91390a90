"""Candles from quotes: one side at a time, by the exchange's time, whatever shares a moment."""

from datetime import timedelta
from decimal import Decimal

import pytest
from marketdata.compute.quote_bars import QuoteBars
from marketdata.model.candle import Source
from marketdata.model.quote import PriceSide, Quote, side_of, sided
from marketdata.model.span import Span
from marketdata.model.times import EPOCH, nanoseconds

HOUR = (Span(EPOCH, EPOCH + timedelta(hours=1)),)


def quote(seconds: float, bid: str, ask: str, bid_size: int = 1, ask_size: int = 2) -> Quote:
    return Quote("EURUSD", int(seconds * 1e9), Decimal(bid), Decimal(ask), Decimal(bid_size), Decimal(ask_size))


QUOTES = [quote(0, "1.1", "1.3"), quote(30, "1.4", "1.6"), quote(59.999, "1.0", "1.1"), quote(60, "1.2", "1.4")]


@pytest.mark.parametrize(
    ("side", "first", "volume"),
    [
        (PriceSide.BID, ("1.1", "1.4", "1.0", "1.0"), 3),
        (PriceSide.ASK, ("1.3", "1.6", "1.1", "1.1"), 6),
        (PriceSide.MID, ("1.2", "1.5", "1.05", "1.05"), 9),
    ],
)
def test_a_candle_is_of_one_price(side: PriceSide, first: tuple[str, ...], volume: int) -> None:
    bars = QuoteBars("dukascopy", "EURUSD", side)
    bars.add(QUOTES)
    one, other = bars.candles(HOUR, Source.VENUE)
    assert (one.open, one.high, one.low, one.close) == tuple(map(Decimal, first))
    assert one.volume == volume
    assert (one.trades, other.trades) == (3, 1)
    assert (one.quote_volume, one.taker_buy_volume, one.first_id) == (None, None, None)


def test_of_quotes_that_share_a_time_the_first_opens_and_the_last_closes() -> None:
    bars = QuoteBars("dukascopy", "EURUSD", PriceSide.BID)
    bars.add([quote(1, "3", "4"), quote(1, "2", "4"), quote(1, "5", "6")])
    (candle,) = bars.candles(HOUR, Source.VENUE)
    assert (candle.open, candle.close) == (Decimal(3), Decimal(5))


def test_a_late_quote_finds_its_place() -> None:
    bars = QuoteBars("oanda", "EUR_USD", PriceSide.BID)
    bars.add([quote(10, "2", "4"), quote(70, "9", "9"), quote(5, "1", "4"), quote(8, "7", "8")])
    first, second = bars.candles(HOUR, Source.LIVE)
    assert (first.open, first.high, first.low, first.close) == tuple(map(Decimal, (1, 7, 1, 2)))
    assert (first.trades, second.trades) == (3, 1)


def test_a_bucket_that_was_not_seen_whole_is_partial() -> None:
    bars = QuoteBars("dukascopy", "EURUSD", PriceSide.BID)
    bars.add(QUOTES)
    seen = (Span(EPOCH + timedelta(minutes=1), EPOCH + timedelta(minutes=2)),)
    assert [one.source for one in bars.candles(seen, Source.VENUE)] == [Source.PARTIAL, Source.VENUE]


def test_closed_buckets_are_taken_once() -> None:
    bars = QuoteBars("oanda", "EUR_USD", PriceSide.BID)
    bars.add(QUOTES)
    end = nanoseconds(EPOCH) + 119 * 10**9
    assert [one.trades for one in bars.take(end, Source.LIVE)] == [3]
    assert bars.take(end, Source.LIVE) == []
    assert [one.trades for one in bars.candles((), Source.LIVE)] == [1]


def test_the_usual_price_has_the_plain_name_and_others_say_theirs() -> None:
    assert [sided("EURUSD", side, PriceSide.BID) for side in PriceSide] == ["EURUSD", "EURUSD:ask", "EURUSD:mid"]
    for side in PriceSide:
        assert side_of(sided("EURUSD", side, PriceSide.MID), PriceSide.MID) == ("EURUSD", side)
    assert side_of("tDOGE:USD", PriceSide.BID) == ("tDOGE:USD", PriceSide.BID)
