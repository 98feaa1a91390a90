"""Sets of spans behave as the sets of minutes they stand for."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from marketdata.compute.coverage import (
    Spans,
    buckets_inside,
    buckets_touching,
    clip,
    contains,
    intersect,
    subtract,
    union,
)
from marketdata.model.span import Span
from marketdata.model.timeframe import timeframe_named

MIDNIGHT = datetime(2026, 8, 9, tzinfo=UTC)


def span(start: int, end: int) -> Span:
    """From minute `start` to minute `end` of the day, excluded."""
    return Span(MIDNIGHT + timedelta(minutes=start), MIDNIGHT + timedelta(minutes=end))


def minutes(spans: tuple[Span, ...] | list[Span]) -> set[int]:
    """The minutes of the day inside `spans`."""
    return {minute for one in spans for minute in range((one.start - MIDNIGHT) // M, (one.end - MIDNIGHT) // M)}


M = timedelta(minutes=1)
M5 = timeframe_named("5m")
some_span = st.tuples(st.integers(0, 40), st.integers(1, 8)).map(lambda pair: span(pair[0], pair[0] + pair[1]))
some_spans = st.lists(some_span, max_size=6)


def assert_merged(spans: Spans) -> None:
    """Sorted, disjoint, and not touching: the one form in which equal sets are equal tuples."""
    for before, after in pairwise(spans):
        assert before.end < after.start


@given(some_spans, some_spans)
def test_a_union_holds_the_minutes_of_both(one: list[Span], other: list[Span]) -> None:
    assert minutes(union(one, other)) == minutes(one) | minutes(other)
    assert_merged(union(one, other))


@given(some_spans, some_spans)
def test_subtraction_leaves_the_minutes_that_only_the_first_has(one: list[Span], other: list[Span]) -> None:
    assert minutes(subtract(one, other)) == minutes(one) - minutes(other)
    assert_merged(subtract(one, other))


@given(some_spans, some_span)
def test_clipping_keeps_the_minutes_inside_the_window(spans: list[Span], window: Span) -> None:
    assert minutes(clip(spans, window)) == minutes(spans) & minutes([window])
    assert_merged(clip(spans, window))


@given(some_spans, some_spans)
def test_an_intersection_holds_the_minutes_that_both_have(one: list[Span], other: list[Span]) -> None:
    assert minutes(intersect(one, other)) == minutes(one) & minutes(other)
    assert_merged(intersect(one, other))


@given(some_spans)
def test_buckets_touch_a_set_or_lie_inside_it(spans: list[Span]) -> None:
    held = minutes(spans)
    buckets = [set(range(start, start + 5)) for start in range(0, 60, 5)]
    assert minutes(buckets_touching(spans, M5)) == set().union(*(bucket for bucket in buckets if bucket & held))
    assert minutes(buckets_inside(spans, M5)) == set().union(*(bucket for bucket in buckets if bucket <= held))


@given(some_spans, some_span)
def test_a_span_is_contained_when_all_its_minutes_are(spans: list[Span], one: Span) -> None:
    assert contains(union(spans), one) == (minutes([one]) <= minutes(spans))


def test_spans_that_touch_become_one() -> None:
    assert union([span(5, 9)], [span(0, 5)]) == (span(0, 9),)


def test_a_hole_inside_a_span_leaves_both_sides() -> None:
    assert subtract([span(0, 10)], [span(3, 4), span(6, 7)]) == (span(0, 3), span(4, 6), span(7, 10))
