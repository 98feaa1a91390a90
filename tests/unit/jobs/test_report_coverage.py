"""Daily coverage: counts that add up, over closed buckets alone."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random

import pytest
from marketdata.clock import FakeClock
from marketdata.compute.daily_coverage import DayCoverage
from marketdata.errors import NotFound, RequestInvalid, TooLarge
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.report_coverage import CoverageReport, report_coverage
from marketdata.model.candle import Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, TIMEFRAMES, timeframe_named
from marketdata.serve.condition import SETTLING
from marketdata.serve.params import CoverageQuery
from marketdata.store.memory import MemoryStore

from tests.market import BTC, ETH, MINUTE, a_store, at, candle, minutes

NOON = at("12:00")
DAY = timedelta(days=1)
OF_BTC = CoverageQuery(symbol="BTC-USD", start=at("10:00"), end=at("10:10"))


def report(store: MemoryStore, query: CoverageQuery, now: datetime = NOON) -> CoverageReport:
    return report_coverage(store, KnownInstruments(store, FakeClock(now)), now, query)


def the_day(store: MemoryStore, query: CoverageQuery = OF_BTC, now: datetime = NOON) -> DayCoverage:
    [(_, day)] = report(store, query, now).days
    return day


def test_a_day_counts_what_is_present_proven_partial_empty_and_missing() -> None:
    store = a_store()
    store.put_candles(minutes("10:00", "10:03") + minutes("10:03", "10:05", source=Source.VENUE))
    store.put_candles(minutes("10:05", "10:06", source=Source.PARTIAL))
    store.mark_empty(BTC, M1, [Span(at("10:06"), at("10:08"))])
    expected = DayCoverage(date(2026, 8, 9), expected=10, present=5, partial=1, proven=3, no_trades=2)
    assert the_day(store) == expected
    assert (expected.missing, expected.coverage) == (3, 0.7)


def test_nothing_held_is_all_missing_and_not_an_empty_answer() -> None:
    assert the_day(a_store()) == DayCoverage(date(2026, 8, 9), 10, 0, 0, 0, 0)


def test_a_bucket_counts_once_it_is_closed_and_settled() -> None:
    store = a_store()
    store.put_candles(minutes("10:00", "10:10"))
    asked = replace(OF_BTC, end=at("13:00"))
    for second in range(0, 300, 30):
        now = at("10:05") + timedelta(seconds=second)
        day = the_day(store, asked, now)
        assert day.expected == (now - SETTLING - at("10:00")) // MINUTE
        assert day.missing == 0


def test_of_what_is_not_closed_there_is_nothing_to_say() -> None:
    nothing = report(a_store(), replace(OF_BTC, start=at("12:00"), end=at("13:00")))
    assert (nothing.days, nothing.counted) == ((), None)


@pytest.mark.slow
@pytest.mark.parametrize("timeframe", TIMEFRAMES, ids=str)
def test_the_days_of_any_timeframe_add_up_to_the_span(timeframe: object) -> None:
    random, store = Random(3), a_store()
    start, now = at("00:00") - 20 * DAY, at("00:00") + 3 * DAY
    spans = [
        Span(start + number * MINUTE, start + (number + 7) * MINUTE) for number in random.sample(range(30_000), 300)
    ]
    store.mark_empty(BTC, M1, spans)
    opens = random.sample(range(30_000), 500)
    store.put_candles([candle(start + number * MINUTE, source=random.choice(list(Source))) for number in opens])
    while store.roll_up():
        pass
    query = CoverageQuery("BTC-USD", None, next(one for one in TIMEFRAMES if one is timeframe), start, now)
    found = report(store, query, now)
    assert found.counted is not None
    buckets = (found.counted.end - found.counted.start) // query.timeframe.duration
    assert sum(day.expected for _, day in found.days) == buckets
    for _, day in found.days:
        assert day.present + day.no_trades + day.missing == day.expected
        assert 0 <= day.proven <= day.present


def test_without_a_symbol_every_active_instrument_is_counted_in_order() -> None:
    store = a_store()
    store.put_instruments([Instrument("bitfinex", "tBTCUSD", "BTC", "USD", active=False)])
    days = report(store, replace(OF_BTC, symbol=None)).days
    assert [one.symbol for one, _ in days] == [BTC.symbol, ETH.symbol]
    assert [one for one, _ in report(store, replace(OF_BTC, symbol=None, exchange="coinbase")).days] == [BTC]


def test_without_a_span_it_is_the_last_week() -> None:
    found = report(a_store(), CoverageQuery("BTC-USD"))
    assert found.counted == Span(NOON - 7 * DAY, NOON - SETTLING)
    assert [day.day.day for _, day in found.days] == [2, 3, 4, 5, 6, 7, 8, 9]


def test_a_year_of_any_timeframe_is_answered_and_no_more() -> None:
    for timeframe in TIMEFRAMES:
        year = CoverageQuery("BTC-USD", None, timeframe, NOON - 366 * DAY, NOON)
        assert report(a_store(), year).days
    with pytest.raises(RequestInvalid, match="366 days"):
        report(a_store(), CoverageQuery("BTC-USD", None, M1, NOON - 366 * DAY - MINUTE, NOON))


def test_the_week_in_which_a_year_ends_is_counted_whole() -> None:
    monday = at("00:00") + DAY
    year = CoverageQuery("BTC-USD", None, timeframe_named("1w"), monday, monday + 366 * DAY)
    found = report(a_store(), year, monday + 400 * DAY)
    assert sum(day.expected for _, day in found.days) == 53


def test_a_report_that_would_ask_the_store_too_much_is_refused() -> None:
    store = MemoryStore()
    store.put_instruments([Instrument("coinbase", f"{place:02}-USD", f"{place:02}", "USD") for place in range(3)])
    with pytest.raises(TooLarge, match="3 instruments x 366 days"):
        report(store, CoverageQuery(start=at("00:00") - 366 * DAY, end=at("00:00")))


def test_what_is_not_followed_or_not_kept_is_no_empty_answer() -> None:
    store = a_store()
    store.put_instruments([replace(BTC, timeframes=(M1,))])
    with pytest.raises(NotFound):
        report(store, CoverageQuery("DOGE-USD"))
    with pytest.raises(RequestInvalid, match="not kept"):
        report(store, replace(OF_BTC, timeframe=timeframe_named("5m")))
