"""Reports of one asset and minute: whatever their order, one row."""

from datetime import timedelta
from decimal import Decimal
from functools import reduce
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
from marketdata.compute.merge_snapshots import merge_snapshots
from marketdata.model.snapshot import Snapshot

from tests.market import at

AMOUNTS = st.none() | st.integers(0, 3).map(Decimal)


@st.composite
def reports(draw: st.DrawFn) -> Snapshot:
    """What is said of BTC in one minute."""
    time = at("10:00") + timedelta(seconds=draw(st.integers(0, 2)))
    price = Decimal(draw(st.integers(1, 3)))
    return Snapshot("coingecko", "BTC", "USD", time, price, draw(AMOUNTS), draw(AMOUNTS), draw(AMOUNTS))


def test_the_one_observed_later_wins_whole() -> None:
    early = Snapshot("coingecko", "BTC", "USD", at("10:00:01"), Decimal(9), Decimal(9))
    late = Snapshot("coingecko", "BTC", "USD", at("10:00:59"), Decimal(1))
    assert merge_snapshots(early, late) == merge_snapshots(late, early) == late


def test_of_one_moment_each_adds_what_the_other_lacks() -> None:
    index = Snapshot("coingecko", "BTC", "USD", at("10:00"), Decimal(9), market_cap=Decimal(3))
    market = Snapshot("coingecko", "BTC", "USD", at("10:00"), Decimal(9), change_percent_24h=Decimal(-1))
    both = Snapshot("coingecko", "BTC", "USD", at("10:00"), Decimal(9), None, Decimal(3), Decimal(-1))
    assert merge_snapshots(index, market) == both


@given(st.lists(reports(), min_size=1, max_size=4))
def test_order_grouping_and_repetition_do_not_matter(told: list[Snapshot]) -> None:
    results = {reduce(merge_snapshots, order) for order in permutations([*told, told[0]])}
    assert len(results) == 1
    (result,) = results
    assert merge_snapshots(result, result) == result
