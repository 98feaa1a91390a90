"""What the rules of alerts are told of feeds and days."""

from datetime import timedelta

from marketdata.jobs.gather_facts import day_shares, newest_feeds
from marketdata.model.alert_book import Book, DayShare
from marketdata.model.instrument import Calendar, Instrument
from marketdata.store.answers import FeedStatus

from tests.market import BTC, ETH, MINUTE, a_store, at, candle

NOON = at("12:00")
SECOND = timedelta(seconds=1)


def feed(feed_id: str, state: str = "live", ago: int = 0, started_ago: int = 3_600, spooled: int = 0) -> FeedStatus:
    """What a feed of coinbase said so many seconds ago."""
    return FeedStatus("coinbase", feed_id, state, NOON - started_ago * SECOND, NOON - ago * SECOND, spooled=spooled)


def spooled(*statuses: FeedStatus) -> list[tuple[str, int]]:
    """State and spool of each fact."""
    return [(one.state, one.spooled) for one in newest_feeds(statuses)]


def test_of_feeds_that_overlap_in_a_deploy_the_live_one_speaks_for_the_exchange() -> None:
    assert spooled(feed("old", "stopped", ago=5, spooled=1), feed("new", "live", ago=9, spooled=2)) == [("live", 2)]
    assert spooled(feed("old", spooled=1), feed("new", started_ago=10, spooled=2)) == [("live", 2)]


def test_a_feed_that_has_fallen_silent_speaks_for_nobody_where_another_speaks() -> None:
    assert spooled(feed("dead", "live", ago=31, spooled=1), feed("new", "down", spooled=2)) == [("down", 2)]
    assert spooled(feed("dead", "live", ago=600, spooled=1)) == [("live", 1)]


def test_each_of_several_feeds_that_share_an_exchange_is_judged_and_those_of_another_division_are_gone() -> None:
    shared = (
        feed("a-shard-1/2", spooled=1),
        feed("b-shard-2/2", ago=600, spooled=2),
        feed("whole", ago=900, spooled=3),
    )
    assert spooled(*shared) == [("live", 1), ("live", 2)]


def test_yesterday_is_judged_an_hour_after_midnight_and_by_what_is_expected_of_it() -> None:
    store = a_store()
    day = at("00:00") - timedelta(days=1)
    store.put_candles([candle(day + place * MINUTE) for place in range(1_438)])
    while store.roll_up():
        pass
    (share,) = day_shares(store, Book(), [BTC, ETH], at("01:00"))
    assert share == DayShare("coinbase", "BTC-USD", day, 0.998611, 2)
    assert day_shares(store, Book(), [BTC], at("00:59")) == ()


def test_what_was_asked_lately_is_not_asked_again() -> None:
    share = DayShare("coinbase", "BTC-USD", at("00:00"), 0.5, 720)
    book = Book(shares=(share,), shares_at=at("12:00"))
    assert day_shares(a_store(), book, [BTC], at("12:14")) == (share,)
    assert day_shares(a_store(), book, [BTC], at("12:15")) == ()


def test_of_a_day_on_which_the_market_was_closed_nothing_is_expected() -> None:
    store, eur = a_store(), Instrument("oanda", "EUR-USD", "EUR", "USD", calendar=Calendar.FX)
    store.put_instruments([eur])
    # The 9th of August 2026 is a Sunday: the day before is a Saturday.
    assert day_shares(store, Book(), [eur], at("12:00")) == ()
