"""The merge rule: any reports of one bucket, in any order, any number of times, leave one candle."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import reduce
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from marketdata.compute.merge import merge
from marketdata.model.candle import Candle, Source
from marketdata.model.timeframe import M1
from marketdata.model.times import EPOCH

NOON = datetime(2026, 8, 9, 12, tzinfo=UTC)

# Few values, so that ties are as frequent as differences.
prices = st.sampled_from([Decimal("0.5"), Decimal(1), Decimal("1.00"), Decimal(2), Decimal(3)])
amounts = st.sampled_from([Decimal(0), Decimal("0.1"), Decimal(7)])
ids = st.none() | st.integers(1, 3)
observations = st.sampled_from([EPOCH, NOON, NOON + timedelta(minutes=5)])


@st.composite
def reports(draw: st.DrawFn) -> Candle:
    """A candle of one fixed bucket, as some writer might report it."""
    opened, closed, one, other = (draw(prices) for _ in range(4))
    return Candle(
        exchange="coinbase",
        symbol="BTC-USD",
        timeframe=M1,
        open_time=NOON,
        open=opened,
        high=max(opened, closed, one, other),
        low=min(opened, closed, one, other),
        close=closed,
        volume=draw(amounts),
        quote_volume=draw(st.none() | amounts),
        trades=draw(st.none() | st.integers(0, 2)),
        taker_buy_volume=draw(st.none() | amounts),
        first_id=draw(ids),
        last_id=draw(ids),
        source=draw(st.sampled_from(Source)),
        observed_at=draw(observations),
    )


def report(**changes: object) -> Candle:
    """A plain report, changed as the test needs."""
    one = Decimal(1)
    plain = Candle("coinbase", "BTC-USD", M1, NOON, one, one, one, one, one, one, 1, one, 5, 9, Source.LIVE)
    return replace(plain, **changes)  # type: ignore[arg-type]


def facts(candle: Candle) -> Candle:
    """Everything but the number of changes, which depends on the way there."""
    return replace(candle, revision=0)


@given(reports(), reports())
def test_the_order_of_two_reports_does_not_matter(one: Candle, other: Candle) -> None:
    assert facts(merge(one, other)) == facts(merge(other, one))


@given(reports(), reports(), reports())
def test_reports_may_be_joined_in_any_groups(one: Candle, two: Candle, three: Candle) -> None:
    assert facts(merge(merge(one, two), three)) == facts(merge(one, merge(two, three)))


@given(st.lists(reports(), min_size=1, max_size=5), st.randoms())
def test_repeating_any_report_later_changes_nothing_not_even_the_revision(
    arrived: list[Candle], random: Random
) -> None:
    kept = reduce(merge, arrived)
    assert merge(kept, random.choice(arrived)) == kept


@given(reports(), reports())
def test_no_report_replaces_one_of_a_higher_rank(one: Candle, other: Candle) -> None:
    assert merge(one, other).source == max(one.source, other.source)
    if one.source > other.source:
        assert merge(one, other) == one


@given(reports(), reports(), st.sampled_from(Source))
def test_within_a_rank_the_newer_observation_wins_whole(one: Candle, other: Candle, source: Source) -> None:
    older = replace(one, source=source, observed_at=NOON)
    newer = replace(other, source=source, observed_at=NOON + timedelta(seconds=1))
    assert facts(merge(older, newer)) == newer
    assert merge(newer, older) == newer


@given(reports(), reports())
def test_the_revision_counts_changes_and_only_changes(one: Candle, other: Candle) -> None:
    one = replace(one, revision=7)
    kept = merge(one, replace(other, revision=99))
    assert kept.revision == (7 if facts(kept) == facts(one) else 8)


def test_two_halves_of_a_minute_join_at_their_trade_ids() -> None:
    early = report(open=Decimal(2), high=Decimal(4), close=Decimal(4), first_id=5, last_id=6, trades=2)
    late = report(open=Decimal(3), high=Decimal(3), close=Decimal(1), first_id=7, last_id=9, trades=3)
    kept = merge(late, early)
    assert (kept.open, kept.first_id) == (Decimal(2), 5)
    assert (kept.close, kept.last_id) == (Decimal(1), 9)
    assert (kept.high, kept.low, kept.trades) == (Decimal(4), Decimal(1), 3)


def test_a_tie_of_trade_ids_is_decided_by_the_values() -> None:
    one = report(open=Decimal(1), close=Decimal(1), high=Decimal(2))
    other = report(open=Decimal(2), close=Decimal(2), high=Decimal(2))
    assert (merge(one, other).open, merge(one, other).close) == (Decimal(1), Decimal(2))


def test_a_report_without_trade_ids_gives_way_to_one_with_them() -> None:
    bare = report(open=Decimal(1), close=Decimal(3), high=Decimal(3), first_id=None, last_id=None)
    known = report(open=Decimal(2), close=Decimal(2), high=Decimal(2))
    kept = merge(bare, known)
    assert (kept.open, kept.close, kept.first_id, kept.last_id) == (Decimal(2), Decimal(2), 5, 9)


def test_not_knowing_a_sum_loses_to_knowing_it() -> None:
    kept = merge(report(quote_volume=None, trades=None), report(quote_volume=Decimal(3), taker_buy_volume=None))
    assert (kept.quote_volume, kept.trades, kept.taker_buy_volume) == (Decimal(3), 1, Decimal(1))


def test_trailing_zeros_are_no_change() -> None:
    kept = merge(report(revision=3), report(volume=Decimal("1.000")))
    assert kept.revision == 3
