"""How far an answer can be trusted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from marketdata.compute.coverage import Spans, subtract
from marketdata.model.candle import Candle, Source
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, Timeframe, timeframe_named
from marketdata.serve.condition import (
    AVAILABLE,
    DEGRADED,
    GAPS_MAX,
    MISSING,
    SETTLING,
    Condition,
    Gap,
    judge,
    judged_span,
    unheld,
    unjudged,
)

H1 = timeframe_named("1h")
ONE = Decimal(1)


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-08-09T{clock}:00+00:00")


def span(start: str, end: str) -> Span:
    return Span(at(start), at(end))


def candle(open_time: datetime, timeframe: Timeframe = M1, source: Source = Source.PROVEN) -> Candle:
    prices = (ONE, ONE, ONE, ONE)
    return Candle("x", "BTC-USD", timeframe, open_time, *prices, ONE, ONE, 1, ONE, 1, 1, source)


def minutes(start: str, end: str) -> list[Candle]:
    count = (at(end) - at(start)) // M1.duration
    return [candle(at(start) + place * M1.duration) for place in range(count)]


def judged(whole: Span, candles: list[Candle], empty: Spans = (), timeframe: Timeframe = M1) -> Condition:
    return judge(whole, timeframe, candles, subtract(unheld(whole, timeframe, candles), empty))


def test_every_bucket_held_is_available() -> None:
    assert judged(span("10:00", "10:05"), minutes("10:00", "10:05")) == Condition(
        AVAILABLE, 1.0, span("10:00", "10:05"), (), 0
    )


def test_a_bucket_known_to_be_empty_counts_as_known() -> None:
    held = minutes("10:00", "10:02") + minutes("10:04", "10:05")
    assert judged(span("10:00", "10:05"), held, empty=(span("10:02", "10:04"),)).coverage == 1


def test_a_hole_is_missing_and_named() -> None:
    held = minutes("10:00", "10:02") + minutes("10:04", "10:05")
    condition = judged(span("10:00", "10:05"), held)
    assert (condition.name, condition.coverage) == (MISSING, 0.6)
    assert condition.gaps == (Gap(span("10:02", "10:04"), 2),)


def test_the_hole_after_the_last_candle_is_a_gap_too() -> None:
    assert judged(span("10:00", "10:05"), minutes("10:00", "10:03")).gaps == (Gap(span("10:03", "10:05"), 2),)


def test_a_bucket_held_in_part_degrades() -> None:
    held = [*minutes("10:00", "10:03"), candle(at("10:03"), source=Source.PARTIAL)]
    condition = judged(span("10:00", "10:04"), held)
    assert (condition.name, condition.coverage, condition.gaps) == (DEGRADED, 0.75, ())


def test_a_candle_beyond_the_judged_span_changes_nothing() -> None:
    held = [*minutes("10:00", "10:02"), candle(at("10:02"), source=Source.PARTIAL)]
    assert judged(span("10:00", "10:02"), held).name == AVAILABLE


def test_an_hour_that_is_known_to_be_empty_in_part_only_is_missing_whole() -> None:
    held = [candle(at("10:00"), H1)]
    condition = judged(span("10:00", "12:00"), held, empty=(span("11:00", "11:59"),), timeframe=H1)
    assert condition.gaps == (Gap(span("11:00", "12:00"), 1),)
    assert condition.coverage == 0.5


def test_coverage_is_one_only_if_nothing_is_missing() -> None:
    whole = Span(datetime(2000, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    hole = Span(whole.start, whole.start + M1.duration)
    assert judge(whole, M1, [], missing=(hole,)).coverage == 0.999999


def test_gaps_are_counted_beyond_those_that_are_listed() -> None:
    first = minutes("10:00", "15:00")[::2]
    condition = judged(span("10:00", "15:00"), first)
    assert (len(condition.gaps), condition.gaps_total) == (GAPS_MAX, 150)
    assert condition.gaps[0].span == span("10:01", "10:02")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("10:00", "10:05", ("10:00", "10:05")),
        ("09:59", "10:05", ("09:59", "10:05")),
        ("10:00", "23:00", ("10:00", "11:58")),
        ("11:57", "12:00", ("11:57", "11:58")),
    ],
)
def test_the_closed_and_settled_buckets_are_judged(start: str, end: str, expected: tuple[str, str]) -> None:
    assert judged_span(at(start), at(end), M1, as_of=at("12:00")) == span(*expected)


def test_a_bucket_opens_inside_the_span_or_is_not_judged() -> None:
    half = timedelta(seconds=30)
    assert judged_span(at("10:00") + half, at("10:02") + half, M1, at("12:00")) == span("10:01", "10:03")


def test_an_hour_is_judged_once_it_has_closed_and_settled() -> None:
    assert judged_span(at("10:00"), at("13:00"), H1, as_of=at("12:00")) == span("10:00", "11:00")
    assert judged_span(at("10:00"), at("13:00"), H1, as_of=at("12:00") + SETTLING) == span("10:00", "12:00")


@pytest.mark.parametrize(("start", "end"), [("11:59", "12:00"), ("12:30", "13:00"), ("10:00", "09:00")])
def test_what_is_open_to_come_or_empty_is_not_judged(start: str, end: str) -> None:
    assert judged_span(at(start), at(end), M1, as_of=at("12:00")) is None


def test_a_question_to_the_end_of_time_is_judged_to_now() -> None:
    end = datetime(9999, 12, 31, tzinfo=UTC)
    assert judged_span(at("10:00"), end, timeframe_named("1w"), as_of=at("12:00")) is None
    assert judged_span(at("10:00"), end, M1, as_of=at("12:00")) == span("10:00", "11:58")


def test_nothing_held_at_all_is_missing() -> None:
    assert unjudged(anything_held=False) == replace(unjudged(anything_held=True), name=MISSING)
    assert unjudged(anything_held=True).coverage is None
