"""Where unresolved gaps are found by their place in time, so that a ledger of many costs no more than one of few."""

from marketdata.model.gap import Gap, GapState
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.gap_index import GapIndex

from tests.contract.histories import NOON, span

LINE = ("coinbase", "BTC-USD", M1)


def gap(number: int, one: Span, state: GapState = GapState.OPEN) -> Gap:
    return Gap(number, "coinbase", "BTC-USD", M1, one, state, "scan", NOON)


def index_of(*gaps: Gap) -> GapIndex:
    index = GapIndex(lambda _: None)
    for one in gaps:
        index.put(one)
    return index


def test_of_many_gaps_only_those_that_are_touched_are_looked_at() -> None:
    index = index_of(*(gap(number, span(4 * number, 4 * number + 2)) for number in range(1_000)))
    assert [one.id for one in index.around(LINE, [span(4_002, 4_004)])] == []
    assert [one.id for one in index.around(LINE, [span(402, 404), span(2_001, 2_003)])] == [100, 101, 500]


def test_open_gaps_that_touch_each_other_are_found_through_each_other_but_not_through_a_leased_one() -> None:
    index = index_of(
        gap(1, span(0, 5)),
        gap(2, span(5, 10), GapState.LEASED),
        gap(3, span(10, 15)),
        gap(4, span(15, 20)),
        gap(5, span(21, 25)),
    )
    assert [one.id for one in index.around(LINE, [span(20, 21)])] == [2, 3, 4, 5]


def test_who_is_given_up_is_heard_of_once() -> None:
    heard: list[int] = []
    index = GapIndex(lambda one: heard.append(one.id))
    index.put(gap(1, span(0, 5), GapState.LEASED))
    for _ in range(2):
        index.put(gap(1, span(0, 5), GapState.UNRECOVERABLE))
    assert heard == [1]
    assert index.around(LINE, [span(0, 5)]) == []
