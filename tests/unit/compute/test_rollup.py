"""Coarser candles are what their children say, and claim no more than their children can prove."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.compute.rollup import roll_up
from marketdata.model.candle import Candle, Source
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, TIMEFRAMES, Timeframe, timeframe_named

MONDAY = datetime(2026, 8, 10, tzinfo=UTC)
M5, M15, H1, W1 = (timeframe_named(name) for name in ("5m", "15m", "1h", "1w"))
MINUTE = timedelta(minutes=1)


def minute(number: int, price: str = "1", **changes: object) -> Candle:
    """The 1m candle `number` minutes after Monday midnight; its trades all went at `price`."""
    at, two = Decimal(price), Decimal(2)
    ids = (10 * number, 10 * number + 9)
    plain = Candle(
        "coinbase", "BTC-USD", M1, MONDAY + number * MINUTE, at, at, at, at, two, two, 3, two, *ids, Source.PROVEN
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def span(start: int, end: int) -> Span:
    """Minutes after Monday midnight."""
    return Span(MONDAY + start * MINUTE, MONDAY + end * MINUTE)


def test_five_minutes_make_one_candle() -> None:
    later = MONDAY + timedelta(hours=9)
    children = [minute(number, price) for number, price in enumerate(["3", "5", "1", "2", "4"])]
    children[2] = replace(children[2], source=Source.VENUE, observed_at=later)
    assert roll_up(children, M5, []) == [
        Candle(
            exchange="coinbase",
            symbol="BTC-USD",
            timeframe=M5,
            open_time=MONDAY,
            open=Decimal(3),
            high=Decimal(5),
            low=Decimal(1),
            close=Decimal(4),
            volume=Decimal(10),
            quote_volume=Decimal(10),
            trades=15,
            taker_buy_volume=Decimal(10),
            first_id=0,
            last_id=49,
            source=Source.VENUE,
            observed_at=later,
        )
    ]


def test_a_missing_minute_makes_the_candle_partial() -> None:
    [candle] = roll_up([minute(0), minute(1), minute(3), minute(4)], M5, [])
    assert candle.source is Source.PARTIAL


def test_a_minute_confirmed_to_be_without_trades_is_not_missing() -> None:
    [candle] = roll_up([minute(1), minute(3)], M5, [span(0, 1), span(2, 3), span(4, 60)])
    assert candle.source is Source.PROVEN


def test_a_bucket_that_is_all_empty_has_no_candle() -> None:
    assert roll_up([], M5, [span(0, 60)]) == []


def test_weeks_begin_on_monday() -> None:
    sunday_and_monday = [minute(-1), minute(0)]
    opens = [candle.open_time for candle in roll_up(sunday_and_monday, W1, [])]
    assert opens == [MONDAY - timedelta(days=7), MONDAY]


@pytest.mark.parametrize("field", ["quote_volume", "taker_buy_volume", "trades"])
def test_a_sum_with_an_unknown_part_is_unknown(field: str) -> None:
    children = [minute(0), minute(1, "1", **{field: None})]
    [candle] = roll_up(children, M5, [])
    assert getattr(candle, field) is None
    assert candle.volume == Decimal(4)


def test_trade_ids_come_from_the_children_that_have_them() -> None:
    [candle] = roll_up([minute(0, first_id=None, last_id=None), minute(1)], M5, [])
    assert (candle.first_id, candle.last_id) == (10, 19)


def test_sums_are_exact_over_fifty_digits() -> None:
    sizes = [Decimal("1e-18"), Decimal("123456789012345678901234567890.5")]
    [candle] = roll_up([minute(number, volume=size) for number, size in enumerate(sizes)], M5, [])
    assert format(candle.volume, "f") == "123456789012345678901234567890.500000000000000001"


@st.composite
def hours(draw: st.DrawFn) -> tuple[list[Candle], list[Span]]:
    """Two hours with holes, some of them confirmed empty, of mixed sources."""
    held = draw(st.sets(st.integers(0, 119), max_size=120))
    if draw(st.booleans()):
        held |= set(range(60))
    missing = set(range(120)) - held
    empty = missing if draw(st.booleans()) else draw(st.sets(st.sampled_from(sorted(missing or {0})))) - held
    made = [
        minute(number, draw(st.sampled_from(["1", "2", "3"])), source=draw(st.sampled_from(Source)))
        for number in sorted(held)
    ]
    return made, [span(number, number + 1) for number in empty]


@given(hours(), st.randoms())
def test_the_order_of_the_children_does_not_matter(
    given_hours: tuple[list[Candle], list[Span]], random: Random
) -> None:
    children, empty = given_hours
    shuffled = list(children)
    random.shuffle(shuffled)
    assert roll_up(shuffled, M5, empty) == roll_up(children, M5, empty)


@given(hours())
def test_rolling_up_in_steps_equals_rolling_up_at_once(given_hours: tuple[list[Candle], list[Span]]) -> None:
    children, empty = given_hours
    in_steps = roll_up(roll_up(roll_up(children, M5, empty), M15, empty), H1, empty)
    assert in_steps == roll_up(children, H1, empty)


@given(hours(), st.sampled_from(TIMEFRAMES[1:]))
def test_nothing_is_claimed_that_a_child_does_not_prove(
    given_hours: tuple[list[Candle], list[Span]], timeframe: Timeframe
) -> None:
    children, empty = given_hours
    known = {child.open_time for child in children} | {one.start for one in empty}
    for parent in roll_up(children, timeframe, empty):
        inside = [child for child in children if parent.open_time <= child.open_time < parent.close_time]
        buckets = {parent.open_time + number * MINUTE for number in range(timeframe.minutes)}
        least = min(child.source for child in inside)
        assert parent.source == (least if buckets <= known else Source.PARTIAL)
