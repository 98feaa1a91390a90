"""What is in memory, what the store alone has, and how they stand to each other."""

from decimal import Decimal

from marketdata.compute.bucket import Bucket
from marketdata.compute.buckets import ENDS_MAX, Buckets
from marketdata.model.timeframe import M1
from marketdata.model.trade import Side, Trade

MINUTE_NS = M1.duration_ns


def opened(buckets: Buckets, minute: int, trade_id: int) -> Bucket:
    trade = Trade("BTC-USD", trade_id, minute * MINUTE_NS + 1, Decimal(1), Decimal(1), Side.BUY)
    bucket = buckets.open(trade, minute * MINUTE_NS)
    bucket.join(trade)
    return bucket


def test_a_bucket_that_is_put_away_is_settled_and_stands_between_its_neighbours() -> None:
    buckets = Buckets(M1, None)
    away, after = opened(buckets, 1, 10), opened(buckets, 3, 11)
    assert buckets.end_before(after) == (2 * MINUTE_NS, 10)
    buckets.put_away(away)
    assert (buckets.get(MINUTE_NS), buckets.is_settled(MINUTE_NS)) == (None, True)
    assert buckets.end_before(after) == (2 * MINUTE_NS, 10)
    assert buckets.oldest is buckets.newest is after


def test_the_newest_is_the_latest_in_time_whatever_came_last() -> None:
    buckets = Buckets(M1, None)
    newest = opened(buckets, 5, 20)
    oldest = opened(buckets, 4, 10)
    assert (buckets.newest, buckets.oldest) == (newest, oldest)
    buckets.put_away(newest)
    assert buckets.newest is oldest
    assert buckets.ends_with(20) == [6 * MINUTE_NS]


def test_the_oldest_beyond_the_bound_are_forgotten_and_not_opened_again() -> None:
    buckets = Buckets(M1, 2)
    for minute in (1, 2, 3, 4):
        opened(buckets, minute, minute)
    assert buckets.forget() == [MINUTE_NS, 2 * MINUTE_NS]
    assert [buckets.is_settled(minute * MINUTE_NS) for minute in (0, 1, 2, 3, 5)] == [True, True, True, False, False]
    assert buckets.forget() == []


def test_the_minutes_around_a_hole_end_where_what_is_proven_begins() -> None:
    buckets = Buckets(M1, None)
    opened(buckets, 1, 10)
    opened(buckets, 4, 20)
    assert buckets.end_of_what_precedes(11, lambda _: True) == 2 * MINUTE_NS
    assert buckets.end_of_what_precedes(11, lambda _: False) == MINUTE_NS
    assert buckets.end_of_what_precedes(10, lambda _: True) is None
    assert buckets.start_of_what_follows(19, lambda _: True, 9 * MINUTE_NS) == 4 * MINUTE_NS
    assert buckets.start_of_what_follows(19, lambda _: False, 9 * MINUTE_NS) == 5 * MINUTE_NS
    assert buckets.start_of_what_follows(20, lambda _: True, 9 * MINUTE_NS + 7) == 9 * MINUTE_NS


def test_the_ends_that_are_remembered_are_bounded_and_the_newest_stay() -> None:
    buckets = Buckets(M1, None)
    for minute in range(1, ENDS_MAX + 3):
        buckets.note_end(minute * MINUTE_NS, minute)
    assert not buckets.is_settled(0)
    assert buckets.is_settled((ENDS_MAX + 1) * MINUTE_NS)
