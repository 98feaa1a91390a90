"""Which ids have been seen."""

from hypothesis import given
from hypothesis import strategies as st
from marketdata.compute.continuity import IdRuns

RUNS = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 8)).map(lambda pair: (pair[0], pair[0] + pair[1])))


@given(RUNS, st.integers(1, 70), st.integers(0, 10))
def test_runs_answer_as_a_plain_set_would(runs: list[tuple[int, int]], first: int, length: int) -> None:
    seen, ids = IdRuns(), set[int]()
    for low, high in runs:
        seen.add(low, high)
        ids.update(range(low, high + 1))
    wanted = range(first, first + length + 1)
    assert seen.covers(wanted[0], wanted[-1]) is ids.issuperset(wanted)
    assert seen.touches(wanted[0], wanted[-1]) is not ids.isdisjoint(wanted)
    assert seen.highest == (max(ids) if ids else None)
    missing = {lost for low, high in seen.holes for lost in range(low, high + 1)}
    assert missing == ({*range(min(ids), max(ids))} - ids if ids else set())


def test_what_lies_between_two_runs_joins_them() -> None:
    seen = IdRuns()
    for first, last in ((1, 2), (10, 12), (3, 4), (8, 9), (5, 7)):
        seen.add(first, last)
    assert seen.covers(1, 12)
    assert seen.missing(0, 14) == [(0, 0), (13, 14)]
    assert seen.lowest == 1


def test_nothing_is_covered_before_anything_was_seen() -> None:
    seen = IdRuns()
    assert not seen.covers(1, 1)
    assert seen.highest is None
    assert seen.holes == []


def test_the_oldest_run_is_forgotten_when_there_are_too_many() -> None:
    seen = IdRuns(runs_max=3)
    for first in (10, 20, 30, 40):
        seen.add(first, first + 1)
    assert not seen.covers(10, 11)
    assert seen.covers(20, 21)
    assert seen.covers(40, 41)
