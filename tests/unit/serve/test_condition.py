"""How far an answer can be trusted."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.compute.coverage import Spans, subtract, union
from marketdata.model.candle import Candle, Source
from marketdata.model.gap import GapState, NamedSpan
from marketdata.model.instrument import Calendar
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, Timeframe, timeframe_named
from marketdata.serve.condition import (
    AVAILABLE,
    DEGRADED,
    LISTED_MAX,
    SETTLING,
    Condition,
    Known,
    judge,
    judged_span,
    unjudged,
)
from marketdata.serve.labelled import MISSING, Labelled

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


def judged(
    whole: Span, candles: list[Candle], empty: Spans = (), timeframe: Timeframe = M1, named: Sequence[NamedSpan] = ()
) -> Condition:
    return judge(whole, timeframe, candles, Known(empty=empty, named=named))


def test_every_bucket_held_is_available() -> None:
    assert judged(span("10:00", "10:05"), minutes("10:00", "10:05")) == Condition(
        AVAILABLE, 1.0, span("10:00", "10:05")
    )


def test_a_bucket_known_to_be_empty_counts_as_known_and_is_listed_as_quiet() -> None:
    held = minutes("10:00", "10:02") + minutes("10:04", "10:05")
    condition = judged(span("10:00", "10:05"), held, empty=(span("10:02", "10:04"),))
    assert (condition.name, condition.coverage, condition.gaps) == (AVAILABLE, 1, ())
    assert condition.quiet == (Labelled(span("10:02", "10:04"), 2, "no_trades"),)


def test_a_hole_is_missing_and_named() -> None:
    held = minutes("10:00", "10:02") + minutes("10:04", "10:05")
    condition = judged(span("10:00", "10:05"), held)
    assert (condition.name, condition.coverage) == (MISSING, 0.6)
    assert condition.gaps == (Labelled(span("10:02", "10:04"), 2, MISSING),)


def test_the_hole_after_the_last_candle_is_a_gap_too() -> None:
    condition = judged(span("10:00", "10:05"), minutes("10:00", "10:03"))
    assert condition.gaps == (Labelled(span("10:03", "10:05"), 2, MISSING),)


@pytest.mark.parametrize(
    ("state", "reason"),
    [(GapState.OPEN, "throttled"), (GapState.LEASED, ""), (GapState.UNRECOVERABLE, "8 fruitless: no such trades")],
)
def test_a_hole_on_the_ledger_says_its_state_and_reason(state: GapState, reason: str) -> None:
    held = minutes("10:00", "10:02")
    ledger = [NamedSpan(span("10:02", "10:05"), state, reason)]
    condition = judged(span("10:00", "10:05"), held, named=ledger)
    assert (condition.name, condition.coverage) == (MISSING, 0.4)
    assert condition.gaps == (Labelled(span("10:02", "10:05"), 3, state.value, reason),)


def test_one_hole_may_be_many_things() -> None:
    ledger = [
        NamedSpan(span("09:00", "10:02"), GapState.UNRECOVERABLE, "gone"),
        NamedSpan(span("10:01", "10:04"), GapState.OPEN),
        NamedSpan(span("10:06", "11:00"), GapState.LEASED),
    ]
    condition = judged(span("10:00", "10:10"), minutes("10:08", "10:10"), empty=(span("10:05", "10:06"),), named=ledger)
    assert condition.gaps == (
        Labelled(span("10:00", "10:01"), 1, "unrecoverable", "gone"),
        Labelled(span("10:01", "10:04"), 3, "open"),
        Labelled(span("10:04", "10:05"), 1, MISSING),
        Labelled(span("10:06", "10:08"), 2, "leased"),
    )
    assert condition.quiet == (Labelled(span("10:05", "10:06"), 1, "no_trades"),)
    assert condition.coverage == 0.3


@pytest.mark.parametrize("by", ["the calendar", "the ledger"])
def test_time_in_which_the_market_was_closed_is_not_expected(by: str) -> None:
    # Friday 2026-08-07: New York closes at 21:00 UTC.
    friday = datetime(2026, 8, 7, 20, 57, tzinfo=UTC)
    whole = Span(friday, friday + timedelta(minutes=10))
    shut = Span(friday + timedelta(minutes=3), whole.end)
    held = [candle(friday), candle(friday + M1.duration)]
    if by == "the calendar":
        condition = judge(whole, M1, held, Known(), Calendar.FX)
    else:
        condition = judge(whole, M1, held, Known(named=[NamedSpan(shut, GapState.MARKET_CLOSED)]))
    assert condition.quiet == (Labelled(shut, 7, "market_closed"),)
    assert condition.gaps == (Labelled(Span(friday + timedelta(minutes=2), shut.start), 1, MISSING),)
    assert (condition.name, condition.coverage) == (MISSING, 0.666666)


def test_a_closed_market_misses_nothing_and_covers_nothing() -> None:
    saturday = Span(datetime(2026, 8, 8, 10, tzinfo=UTC), datetime(2026, 8, 8, 11, tzinfo=UTC))
    condition = judge(saturday, M1, [], Known(), Calendar.FX)
    assert (condition.name, condition.coverage, condition.gaps) == (AVAILABLE, None, ())


def test_a_bucket_held_in_part_degrades_and_says_what_it_lacks() -> None:
    held = [*minutes("10:00", "10:03"), candle(at("10:03"), source=Source.PARTIAL)]
    known = Known(
        lacking=(span("10:03", "10:04"),), lacking_total=1, named=[NamedSpan(span("10:03", "10:04"), GapState.OPEN)]
    )
    condition = judge(span("10:00", "10:04"), M1, held, known)
    assert (condition.name, condition.coverage, condition.gaps) == (DEGRADED, 0.75, ())
    assert condition.partial == (Labelled(span("10:03", "10:04"), 1, "open"),)


def test_an_hour_that_lacks_minutes_names_them() -> None:
    held = [candle(at("10:00"), H1, Source.PARTIAL), candle(at("11:00"), H1)]
    lacking = (span("10:10", "10:12"), span("10:40", "10:41"))
    ledger = [NamedSpan(span("10:40", "10:41"), GapState.UNRECOVERABLE, "gone")]
    condition = judge(span("10:00", "12:00"), H1, held, Known(lacking=lacking, lacking_total=2, named=ledger))
    assert (condition.name, condition.coverage, condition.gaps) == (DEGRADED, 0.5, ())
    assert condition.partial == (
        Labelled(span("10:10", "10:12"), 1, MISSING),
        Labelled(span("10:40", "10:41"), 1, "unrecoverable", "gone"),
    )


def test_a_candle_beyond_the_judged_span_changes_nothing() -> None:
    held = [*minutes("10:00", "10:02"), candle(at("10:02"), source=Source.PARTIAL)]
    assert judged(span("10:00", "10:02"), held).name == AVAILABLE


def test_an_hour_that_is_known_to_be_empty_in_part_only_is_missing_whole() -> None:
    held = [candle(at("10:00"), H1)]
    ledger = [NamedSpan(span("11:59", "12:00"), GapState.OPEN)]
    condition = judged(span("10:00", "12:00"), held, empty=(span("11:00", "11:59"),), timeframe=H1, named=ledger)
    assert condition.gaps == (Labelled(span("11:00", "12:00"), 1, "open"),)
    assert condition.coverage == 0.5


def test_of_an_hour_missing_for_several_reasons_the_one_that_may_still_come_is_told() -> None:
    ledger = [
        NamedSpan(span("10:00", "10:30"), GapState.UNRECOVERABLE, "gone"),
        NamedSpan(span("10:30", "11:00"), GapState.OPEN),
        NamedSpan(span("11:00", "11:30"), GapState.UNRECOVERABLE, "gone"),
    ]
    condition = judged(span("10:00", "12:00"), [], timeframe=H1, named=ledger)
    assert [(gap.span, gap.state) for gap in condition.gaps] == [
        (span("10:00", "11:00"), "open"),
        (span("11:00", "12:00"), MISSING),
    ]


def test_coverage_is_one_only_if_nothing_is_missing() -> None:
    whole = Span(datetime(2000, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    hole = Span(whole.start, whole.start + M1.duration)
    assert judge(whole, M1, [], Known(empty=(Span(hole.end, whole.end),))).coverage == 0.999999


def test_gaps_are_counted_beyond_those_that_are_listed() -> None:
    first = minutes("10:00", "15:00")[::2]
    condition = judged(span("10:00", "15:00"), first)
    assert (len(condition.gaps), condition.gaps_total, condition.truncated) == (LISTED_MAX, 150, True)
    assert condition.gaps[0].span == span("10:01", "10:02")
    silent = tuple(Span(one.close_time, one.close_time + M1.duration) for one in first)
    condition = judged(span("10:00", "15:00"), first, empty=silent)
    assert (len(condition.quiet), condition.quiet_total, condition.truncated) == (LISTED_MAX, 150, True)


def test_what_the_store_cut_is_said_to_be_cut() -> None:
    held = minutes("10:00", "10:03")
    assert judge(span("10:00", "10:05"), M1, held, Known(named_cut=True)).truncated
    hours = [candle(at("10:00"), H1, Source.PARTIAL)]
    known = Known(lacking=(span("10:00", "10:01"),), lacking_total=1_500)
    condition = judge(span("10:00", "11:00"), H1, hours, known)
    assert (len(condition.partial), condition.partial_total, condition.truncated) == (1, 1_500, True)


@given(seed=st.integers(0, 2**32))
def test_every_bucket_is_counted_once(seed: int) -> None:
    random = Random(seed)
    whole = span("10:00", "11:00")
    kinds = [random.choice(["held", "partial", "empty", "missing"]) for _ in range(60)]
    buckets = [Span(at("10:00") + place * M1.duration, at("10:00") + (place + 1) * M1.duration) for place in range(60)]
    of = {kind: [one for one, is_ in zip(buckets, kinds, strict=True) if is_ == kind] for kind in set(kinds)}
    held = [candle(one.start) for one in of.get("held", [])]
    held += [candle(one.start, source=Source.PARTIAL) for one in of.get("partial", [])]
    ledger = [
        NamedSpan(one, random.choice([GapState.OPEN, GapState.LEASED, GapState.UNRECOVERABLE, GapState.MARKET_CLOSED]))
        for one in buckets
        if random.random() < 0.5
    ]
    held.sort(key=lambda one: one.open_time)
    condition = judge(whole, M1, held, Known(empty=union(of.get("empty", [])), named=ledger))
    told = (*condition.gaps, *condition.quiet)
    assert union(one.span for one in told) == subtract([whole], (Span(one.open_time, one.close_time) for one in held))
    assert sum(one.buckets for one in told) + len(held) == 60


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
