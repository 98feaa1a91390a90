"""Candles of streaming quotes: handed out as they grow, closed once, and never trusted above `live`."""

from decimal import Decimal

from marketdata.compute.live_quote_bars import LiveQuoteBars
from marketdata.model.candle import Source
from marketdata.model.quote import PriceSide, Quote

SECOND_NS = 10**9


def bars(*seconds: float) -> LiveQuoteBars:
    made = LiveQuoteBars("oanda", "EUR_USD", PriceSide.MID)
    for one in seconds:
        made.add(quote(one))
    return made


def quote(seconds: float, price: int = 1) -> Quote:
    return Quote("EUR_USD", int(seconds * SECOND_NS), Decimal(price), Decimal(price))


def told(made: LiveQuoteBars) -> list[tuple[int, bool, Source, int | None]]:
    return [(one.candle.open_time.minute, one.closed, one.candle.source, one.candle.trades) for one in made.take()]


def test_an_open_candle_is_told_as_it_grows_and_not_again() -> None:
    made = bars(1, 2)
    assert told(made) == [(0, False, Source.PARTIAL, 2)]
    assert told(made) == []
    made.add(quote(3))
    assert told(made) == [(0, False, Source.PARTIAL, 3)]


def test_the_newest_quote_that_another_answer_repeats_counts_once() -> None:
    assert told(bars(1, 2, 2, 3)) == [(0, False, Source.PARTIAL, 3)]


def test_a_closed_candle_is_told_once_and_is_live_if_seen_whole() -> None:
    made = bars(30, 61, 119, 125)
    assert told(made) == [(0, True, Source.PARTIAL, 1), (1, True, Source.LIVE, 2), (2, False, Source.PARTIAL, 1)]
    assert told(made) == []


def test_time_that_passes_without_quotes_closes_a_candle() -> None:
    made = bars(61)
    made.pass_time(121 * SECOND_NS)
    assert told(made) == [(1, True, Source.PARTIAL, 1)]


def test_a_break_makes_the_minutes_around_it_partial_and_no_others() -> None:
    made = bars(0, 61, 121)
    made.disconnected()
    for seconds in (122, 181, 241):
        made.add(quote(seconds))
    assert [(minute, source) for minute, closed, source, _ in told(made) if closed] == [
        (0, Source.LIVE),
        (1, Source.LIVE),
        (2, Source.PARTIAL),
        (3, Source.LIVE),
    ]


def test_a_late_quote_does_not_open_its_minute_again() -> None:
    made = bars(0, 61)
    told(made)
    made.add(quote(59))
    assert told(made) == []
    assert made.late == 1
