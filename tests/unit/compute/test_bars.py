"""Trades to candles: exact, ranked, and a pure function of the set of trades."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.compute.bars import HEARTBEAT_GRACE_NS, Bars, Change
from marketdata.compute.rollup import roll_up
from marketdata.model.candle import Candle, Source
from marketdata.model.events import Heartbeat
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, TIMEFRAMES, timeframe_named
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Side, Trade

NOON = datetime(2026, 8, 9, 12, tzinfo=UTC)
NOON_NS = nanoseconds(NOON)
SECOND = 1_000_000_000


def trade(trade_id: int, seconds: float, price: str = "100", size: str = "1", side: Side = Side.BUY) -> Trade:
    return Trade("BTC-USD", trade_id, NOON_NS + round(seconds * SECOND), Decimal(price), Decimal(size), side)


def bars(*trades: Trade, contiguous: bool = True, buckets_max: int | None = None) -> Bars:
    made = Bars("coinbase", "BTC-USD", ids_contiguous=contiguous, buckets_max=buckets_max)
    made.acknowledged()
    for one in trades:
        made.add(one)
    return made


def candles(made: Bars) -> list[Candle]:
    return [change.candle for change in made.take()]


def beat(seconds: float, last_trade_id: int | None) -> Heartbeat:
    return Heartbeat("BTC-USD", last_trade_id, NOON_NS + round(seconds * SECOND))


def test_a_candle_holds_every_figure_exactly() -> None:
    (candle,) = candles(
        bars(
            trade(7, 1, "100.10", "0.00000001"),
            trade(8, 2, "99.9", "3", Side.SELL),
            trade(9, 59.999999, "100.5", "0.5"),
        )
    )
    assert candle.open_time == NOON
    assert candle.close_time == NOON + timedelta(minutes=1)
    assert (candle.open, candle.high, candle.low, candle.close) == tuple(
        map(Decimal, ("100.10", "100.5", "99.9", "100.5"))
    )
    assert candle.volume == Decimal("3.50000001")
    assert candle.quote_volume == Decimal("349.950001001")
    assert candle.taker_buy_volume == Decimal("0.50000001")
    assert (candle.trades, candle.first_id, candle.last_id) == (3, 7, 9)


def test_sums_keep_every_digit_that_a_float_or_28_digits_would_lose() -> None:
    big, small = "12345678901234567890.123456789", "0.000000000000000000000000000001"
    (candle,) = candles(bars(trade(1, 1, big, big), trade(2, 2, big, small)))
    assert Fraction(candle.volume) == Fraction(big) + Fraction(small)
    assert candle.quote_volume is not None
    assert Fraction(candle.quote_volume) == Fraction(big) * Fraction(big) + Fraction(big) * Fraction(small)


def test_trades_of_one_instant_are_ordered_by_id() -> None:
    (candle,) = candles(bars(trade(3, 5, "30"), trade(2, 5, "20"), trade(1, 5, "10"), contiguous=False))
    assert (candle.open, candle.close) == (Decimal(10), Decimal(30))


def test_a_trade_on_the_edge_belongs_to_the_minute_it_opens() -> None:
    first, second = candles(bars(trade(1, 59.999999999), trade(2, 60)))
    assert (first.last_id, second.first_id) == (1, 2)


def aggregate(first_id: int, last_id: int, seconds: float, price: str = "100", size: str = "1") -> Trade:
    time_ns, count = NOON_NS + round(seconds * SECOND), last_id - first_id + 1
    return Trade("BTC-USD", first_id, time_ns, Decimal(price), Decimal(size), Side.BUY, count)


def test_an_aggregate_counts_the_trades_it_stands_for() -> None:
    (candle,) = candles(bars(aggregate(1, 5, 0), aggregate(6, 6, 1), aggregate(7, 9, 2)))
    assert (candle.trades, candle.first_id, candle.last_id, candle.volume) == (9, 1, 9, Decimal(3))


def test_aggregates_prove_a_minute_by_the_ids_that_they_stand_for() -> None:
    made = bars(aggregate(1, 4, 30), aggregate(5, 8, 61), aggregate(9, 10, 100), aggregate(11, 11, 121))
    assert sources(made) == [Source.PARTIAL, Source.PROVEN, Source.PARTIAL]
    made = bars(aggregate(1, 4, 30), aggregate(6, 8, 61), aggregate(9, 10, 100), aggregate(11, 11, 121))
    assert sources(made) == [Source.PARTIAL, Source.PARTIAL, Source.PARTIAL]


def test_an_aggregate_of_trades_that_were_all_seen_is_a_repetition() -> None:
    made = bars(trade(5, 1), trade(6, 2), trade(7, 3), aggregate(5, 7, 1, size="3"), aggregate(6, 7, 1))
    assert (candles(made)[0].trades, made.counts.duplicates, made.cut) == (3, 2, 0)


def test_an_aggregate_seen_in_part_adds_nothing_and_leaves_its_hole() -> None:
    """What its unseen trades had in it cannot be told from the sum."""
    made = bars(trade(4, 1), trade(5, 1), trade(9, 3), aggregate(5, 8, 1, size="4"))
    (candle,) = candles(made)
    assert (candle.trades, candle.volume, made.cut) == (3, Decimal(3), 1)
    assert made.seen.holes == [(6, 8)]


def sources(made: Bars) -> list[Source]:
    return [candle.source for candle in candles(made)]


def test_a_minute_is_proven_when_its_run_of_ids_joins_both_neighbours() -> None:
    made = bars(trade(1, 30), trade(2, 61), trade(3, 100), trade(4, 121))
    assert sources(made) == [Source.PARTIAL, Source.PROVEN, Source.PARTIAL]


def test_a_missing_id_leaves_its_minute_and_the_cut_neighbour_unproven() -> None:
    made = bars(trade(1, 30), trade(2, 61), trade(4, 121), trade(5, 181), trade(6, 241))
    assert sources(made) == [Source.PARTIAL, Source.PARTIAL, Source.PARTIAL, Source.PROVEN, Source.PARTIAL]


def test_the_missing_trade_proves_all_three_when_it_comes_late() -> None:
    made = bars(trade(1, 30), trade(2, 61), trade(4, 121), trade(5, 181), trade(6, 241))
    made.take()
    made.add(trade(3, 62))
    assert [(change.candle.source, change.revised) for change in made.take()] == [
        (Source.PROVEN, True),
        (Source.PROVEN, True),
    ]


def test_an_id_that_never_was_proves_the_minutes_on_both_sides_of_it() -> None:
    made = bars(trade(1, 0), trade(2, 61), trade(4, 122), trade(5, 183))
    made.take()
    made.account_for(3, 3)
    assert [change.candle.source for change in made.take()] == [Source.PROVEN, Source.PROVEN]
    assert made.take() == []


def test_a_heartbeat_naming_our_newest_trade_proves_the_end_of_a_quiet_minute() -> None:
    made = bars(trade(1, 30), trade(2, 61))
    made.heartbeat(beat(121, 2))
    # A heartbeat may overtake a trade inside the exchange: a second after the end it proves nothing yet.
    assert sources(made) == [Source.PARTIAL, Source.PARTIAL]
    made.heartbeat(Heartbeat("BTC-USD", 2, NOON_NS + 120 * SECOND + HEARTBEAT_GRACE_NS))
    assert sources(made) == [Source.PROVEN]


@pytest.mark.parametrize("last_trade_id", [3, None])
def test_a_heartbeat_ahead_of_us_or_without_an_id_proves_nothing(last_trade_id: int | None) -> None:
    made = bars(trade(1, 30), trade(2, 61))
    made.heartbeat(beat(200, last_trade_id))
    assert sources(made) == [Source.PARTIAL, Source.PARTIAL]


def test_a_minute_known_only_from_the_last_match_is_partial() -> None:
    assert sources(bars(trade(1, 0))) == [Source.PARTIAL]


def test_a_closed_minute_of_an_unbroken_connection_is_live_where_ids_prove_nothing() -> None:
    made = bars(trade(10, 30), trade(500, 61), trade(700, 121), contiguous=False)
    assert sources(made) == [Source.PARTIAL, Source.LIVE, Source.PARTIAL]


def test_a_break_inside_a_minute_keeps_it_partial_where_ids_prove_nothing() -> None:
    made = bars(trade(10, 30), trade(500, 61), contiguous=False)
    made.disconnected()
    made.acknowledged()
    made.add(trade(700, 100))
    made.add(trade(800, 121))
    made.add(trade(900, 181))
    assert sources(made) == [Source.PARTIAL, Source.PARTIAL, Source.LIVE, Source.PARTIAL]


def test_a_snapshot_after_a_break_does_not_make_the_broken_minute_whole() -> None:
    made = bars(trade(10, 30), trade(500, 70), contiguous=False)
    made.disconnected()
    made.acknowledged()
    for one in (trade(400, 60), trade(700, 100), trade(800, 121)):
        made.add(one)
    assert sources(made)[:2] == [Source.PARTIAL, Source.PARTIAL]


def test_history_that_a_new_connection_repeats_does_not_vouch_for_the_minutes_after_it() -> None:
    """A snapshot of the outage: trades of 12:02 may be missing from it, though its oldest is of 12:01."""
    made = bars(trade(10, 30), contiguous=False)
    made.disconnected()
    for one in (trade(500, 70), trade(600, 150)):
        made.add(one)
    made.acknowledged()
    # Told once more, or dated before what was heard already: not the first moment of this connection.
    made.add(trade(550, 140))
    for one in (trade(700, 190), trade(800, 250), trade(900, 301)):
        made.add(one)
    assert sources(made) == [Source.PARTIAL] * 4 + [Source.LIVE, Source.PARTIAL]


def test_without_an_acknowledged_subscription_nothing_is_live() -> None:
    made = Bars("bitfinex", "tBTCUSD", ids_contiguous=False)
    for one in (trade(10, 30), trade(500, 61), trade(700, 121)):
        made.add(one)
    made.heartbeat(beat(200, None))
    assert set(sources(made)) == {Source.PARTIAL}


def test_a_subscription_that_is_acknowledged_again_without_a_break_changes_nothing() -> None:
    made = bars(trade(10, 30), trade(500, 61), contiguous=False)
    made.acknowledged()
    made.add(trade(700, 121))
    assert sources(made) == [Source.PARTIAL, Source.LIVE, Source.PARTIAL]


def test_closed_is_told_once_and_a_later_change_is_a_revision() -> None:
    made = bars(trade(1, 1))
    assert [(change.closed, change.revised) for change in made.take()] == [(False, False)]
    assert made.take() == []
    made.heartbeat(beat(61, None))
    assert [(change.closed, change.revised) for change in made.take()] == [(True, False)]
    made.add(trade(2, 59))
    (late,) = made.take()
    assert (late.closed, late.revised, late.candle.trades) == (True, True, 2)


def test_minutes_between_two_neighbouring_ids_are_known_to_be_empty() -> None:
    made = bars(trade(1, 30), trade(2, 250))
    made.take()
    assert made.take_empty() == [Span(NOON + timedelta(minutes=1), NOON + timedelta(minutes=4))]
    assert made.take_empty() == []


def test_minutes_between_ids_with_a_hole_are_not_known_to_be_empty() -> None:
    made = bars(trade(1, 30), trade(3, 250))
    made.take()
    assert made.take_empty() == []


def test_heartbeats_show_that_a_quiet_market_stays_empty() -> None:
    made = bars(trade(1, 30))
    made.heartbeat(beat(190, 1))
    made.take()
    assert made.take_empty() == [Span(NOON + timedelta(minutes=1), NOON + timedelta(minutes=3))]
    made.heartbeat(beat(250, 1))
    made.take()
    assert made.take_empty() == [Span(NOON + timedelta(minutes=3), NOON + timedelta(minutes=4))]


def test_after_a_restart_into_a_quiet_market_the_minutes_since_the_last_proven_one_are_empty() -> None:
    made = bars()
    made.resume(1, 9, NOON_NS + 60 * SECOND)
    made.heartbeat(beat(200, 9))
    assert made.take() == []
    assert made.take_empty() == [Span(NOON + timedelta(minutes=1), NOON + timedelta(minutes=3))]
    made.heartbeat(beat(250, 9))
    made.take()
    assert made.take_empty() == [Span(NOON + timedelta(minutes=3), NOON + timedelta(minutes=4))]


def test_after_a_restart_nothing_is_empty_while_the_exchange_names_a_newer_trade() -> None:
    made = bars()
    made.resume(1, 9, NOON_NS + 60 * SECOND)
    made.heartbeat(beat(200, 10))
    made.take()
    assert made.take_empty() == []


def test_what_lies_between_proven_minutes_of_before_is_a_hole_and_becomes_proven() -> None:
    made = bars()
    made.resume(1, 9, NOON_NS + 60 * SECOND)
    made.resume(13, 20, NOON_NS + 180 * SECOND)
    assert made.seen.holes == [(10, 12)]
    for one in (trade(10, 60), trade(11, 61), trade(12, 119)):
        made.add(one)
    made.heartbeat(beat(181, 20))
    (change,) = made.take()
    assert (change.candle.source, change.candle.trades, change.closed) == (Source.PROVEN, 3, True)


def test_a_minute_that_was_proven_before_is_not_taken_for_empty() -> None:
    made = bars()
    made.resume(13, 20, NOON_NS + 180 * SECOND)
    made.resume(1, 9, NOON_NS + 60 * SECOND)
    for one in (trade(10, 60), trade(11, 61), trade(12, 119), trade(21, 240)):
        made.add(one)
    made.take()
    assert made.take_empty() == [Span(NOON + timedelta(minutes=3), NOON + timedelta(minutes=4))]


def test_memory_is_bounded_and_a_trade_for_a_forgotten_minute_is_handed_out() -> None:
    made = bars(trade(1, 0), trade(2, 60), trade(3, 120), buckets_max=2)
    made.take()
    late = trade(99, 1)
    made.add(late)
    assert made.take() == []
    assert made.take_late() == [late]
    assert made.take_late() == []


def test_a_minute_that_the_store_completed_is_not_told_again_from_what_is_in_memory() -> None:
    made = bars(trade(1, 0), trade(2, 61), trade(3, 70), trade(9, 200))
    made.take()
    made.resume(2, 6, NOON_NS + 120 * SECOND)
    made.resume(7, 8, NOON_NS + 180 * SECOND)
    assert made.seen.holes == []
    made.add(trade(50, 75))
    assert made.take() == []
    assert [late.id for late in made.take_late()] == [50]


def test_a_hole_that_is_given_up_proves_nothing_around_it_and_no_emptiness() -> None:
    made = bars(trade(1, 0), trade(2, 61), trade(9, 250), trade(10, 310))
    made.take()
    made.give_up(3, 8)
    made.add(trade(11, 370))
    assert made.seen.holes == []
    assert [(change.candle.first_id, change.candle.source) for change in made.take()] == [
        (10, Source.PROVEN),
        (11, Source.PARTIAL),
    ]
    assert made.take_empty() == []


def minutes(first: int, last: int) -> Span:
    return Span(NOON + timedelta(minutes=first), NOON + timedelta(minutes=last))


def test_a_hole_concerns_the_minutes_from_the_trade_before_it_to_the_one_after() -> None:
    made = bars(trade(1, 0), trade(2, 61), trade(9, 250), trade(10, 310))
    assert made.minutes_of_hole(3, 8) == minutes(1, 5)


def test_a_hole_between_proven_minutes_concerns_neither_of_them() -> None:
    made = bars(trade(20, 500))
    made.resume(2, 6, NOON_NS + 120 * SECOND)
    made.resume(9, 11, NOON_NS + 300 * SECOND)
    assert made.minutes_of_hole(7, 8) == minutes(2, 4)


def test_a_hole_up_to_now_concerns_the_closed_minutes_alone() -> None:
    made = bars(trade(1, 0), trade(2, 61))
    assert made.minutes_of_hole(3, 8) is None
    made.heartbeat(beat(250, 8))
    assert made.minutes_of_hole(3, 8) == minutes(1, 4)


# Contiguity


def test_a_trade_that_the_exchange_said_never_was_counts_when_it_comes() -> None:
    made = bars(trade(1, 0), trade(2, 61), trade(4, 122), trade(5, 183))
    made.note_absent(3, 3)
    assert [change.candle.trades for change in made.take()][:3] == [1, 1, 1]
    made.add(trade(3, 70))
    made.add(trade(3, 70))
    assert [(change.candle.trades, change.revised) for change in made.take()] == [(2, True)]
    assert (made.contiguity.absent, made.contiguity.duplicates) == (1, 1)


def test_trades_holes_and_duplicates_are_counted() -> None:
    made = bars(trade(1, 0), trade(2, 1), trade(2, 1), trade(5, 2), trade(6, 3), trade(3, 1))
    made.take()
    counts = made.contiguity
    assert (counts.trades, counts.duplicates, counts.holes, counts.violations) == (5, 1, 1, 0)


@pytest.mark.parametrize("again", [trade(2, 1, price="101"), trade(2, 1, size="2"), trade(2, 1, side=Side.SELL)])
def test_an_id_that_comes_again_with_another_content_is_a_violation(again: Trade) -> None:
    made = bars(trade(1, 0), trade(2, 1))
    made.take()
    made.add(trade(3, 2))
    made.add(again)
    made.take()
    assert (made.contiguity.conflicting, made.contiguity.duplicates) == (1, 1)


@pytest.mark.parametrize(("seconds", "violations"), [(9.5, 0), (5, 1), (-70, 1)])
def test_ids_that_run_backwards_in_time_are_violations_beyond_a_moment(seconds: float, violations: int) -> None:
    made = bars(trade(1, 0), trade(2, 10), trade(3, seconds))
    made.take()
    assert made.contiguity.backwards == violations


# Laws -----------------------------------------------------------------------------------------------------------------

PRICES = st.decimals("0.00000001", "100000", places=8)


@st.composite
def trade_sets(draw: st.DrawFn) -> list[Trade]:
    """Trades with contiguous-looking ids, holes, ties in time, and times that need not agree with the ids."""
    count = draw(st.integers(1, 30))
    ids = sorted(draw(st.sets(st.integers(1, 40), min_size=count, max_size=count)))
    times = draw(st.lists(st.integers(0, 400), min_size=count, max_size=count))
    ordered = draw(st.booleans())
    return [
        Trade("BTC-USD", trade_id, NOON_NS + seconds * SECOND, draw(PRICES), draw(PRICES), draw(st.sampled_from(Side)))
        for trade_id, seconds in zip(ids, sorted(times) if ordered else times, strict=True)
    ]


def folded(trades: list[Trade], minutes: int = 1) -> dict[int, tuple[object, ...]]:
    """The oracle: group, sort, fold, in fractions."""
    buckets: dict[int, list[Trade]] = {}
    for one in {one.id: one for one in trades}.values():
        buckets.setdefault(one.time_ns // (minutes * 60 * SECOND), []).append(one)
    figures: dict[int, tuple[object, ...]] = {}
    for number, members in buckets.items():
        members.sort(key=lambda one: (one.time_ns, one.id))
        prices, ids = [one.price for one in members], [one.id for one in members]
        figures[number * minutes * 60 * SECOND] = (
            prices[0],
            max(prices),
            min(prices),
            prices[-1],
            sum(Fraction(one.size) for one in members),
            sum(Fraction(one.size) * Fraction(one.price) for one in members),
            sum(Fraction(one.size) for one in members if one.side is Side.BUY),
            len(members),
            min(ids),
            max(ids),
        )
    return figures


def figures_of(candle: Candle) -> tuple[object, ...]:
    assert candle.quote_volume is not None
    assert candle.taker_buy_volume is not None
    return (
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        Fraction(candle.volume),
        Fraction(candle.quote_volume),
        Fraction(candle.taker_buy_volume),
        candle.trades,
        candle.first_id,
        candle.last_id,
    )


def newest(changes: list[Change]) -> dict[int, Candle]:
    return {nanoseconds(change.candle.open_time): change.candle for change in changes}


@given(trade_sets(), st.data(), st.booleans())
def test_any_order_duplication_and_batching_gives_the_same_candles(
    trades: list[Trade], data: st.DataObject, contiguous: bool
) -> None:
    shuffled = data.draw(st.permutations(trades + data.draw(st.lists(st.sampled_from(trades), max_size=10))))
    made = bars(contiguous=contiguous)
    changes: list[Change] = []
    for one in shuffled:
        made.add(one)
        if data.draw(st.booleans()):
            changes += made.take()
    seen = newest(changes + made.take())
    assert {open_ns: figures_of(candle) for open_ns, candle in seen.items()} == folded(trades)
    if contiguous:
        in_order = newest(bars(*sorted(trades, key=lambda one: (one.time_ns, one.id))).take())
        assert {open_ns: c.source for open_ns, c in seen.items()} == {
            open_ns: c.source for open_ns, c in in_order.items()
        }


@given(trade_sets())
def test_no_minute_is_proven_unless_every_id_around_it_was_seen(trades: list[Trade]) -> None:
    ids = {one.id for one in trades}
    for candle in candles(bars(*trades)):
        assert candle.first_id is not None
        assert candle.last_id is not None
        proven = ids.issuperset(range(candle.first_id - 1, candle.last_id + 2))
        assert (candle.source is Source.PROVEN) is proven


@given(trade_sets(), st.sampled_from(TIMEFRAMES[1:]))
def test_rolled_up_minutes_equal_bars_of_the_coarser_frame(trades: list[Trade], timeframe: object) -> None:
    coarse = timeframe_named(str(timeframe))
    direct = Bars("coinbase", "BTC-USD", coarse, ids_contiguous=False)
    for one in trades:
        direct.add(one)
    minutes = sorted(newest(bars(*trades, contiguous=False).take()).values(), key=lambda candle: candle.open_time)
    rolled = roll_up(minutes, coarse, empty=[])
    assert [(c.open_time, figures_of(c)) for c in rolled] == [
        (change.candle.open_time, figures_of(change.candle)) for change in direct.take()
    ]


def test_minute_bars_are_the_default() -> None:
    assert bars().timeframe is M1
