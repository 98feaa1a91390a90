"""The ring keeps the newest events, and of each conflation key only the newest."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feed.ring import Event, Ring


def event(sequence: int, key: str | None = None) -> Event:
    return Event(sequence, "candle", "coinbase", "BTC-USD", b"", key)


def ring_of(events_max: int, *keys: str | None) -> Ring:
    ring = Ring("e", events_max)
    for sequence, key in enumerate(keys, 1):
        ring.append(event(sequence, key))
    return ring


def sequences(ring: Ring, after: int = 0) -> list[int]:
    return [kept.sequence for kept in ring.after(after)]


def test_the_oldest_event_makes_room_for_the_newest() -> None:
    ring = ring_of(2, None, None, None)
    assert (sequences(ring), ring.lost, len(ring)) == ([2, 3], 1, 2)


def test_a_newer_state_takes_the_place_of_the_older_and_nothing_is_lost() -> None:
    ring = ring_of(2, "open", None, "open")
    assert (sequences(ring), ring.lost) == ([2, 3], 0)


def test_a_state_that_fell_out_can_be_published_again() -> None:
    ring = ring_of(1, "open", None, "open", "open")
    assert (sequences(ring), ring.lost) == ([4], 2)


def test_states_replaced_for_a_day_take_no_more_room_than_those_of_a_minute() -> None:
    ring = Ring("e", 8)
    tracemalloc.start()
    for sequence in range(1, 50_001):
        ring.append(event(sequence, "open"))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(ring), held < 20_000) == (1, True)


@given(st.integers(1, 9), st.lists(st.sampled_from([None, None, "a", "b", "c"]), max_size=120), st.integers(0, 120))
def test_the_ring_equals_a_plain_list_that_forgets(events_max: int, keys: list[str | None], after: int) -> None:
    plain: list[tuple[int, str | None]] = []
    lost = 0
    for sequence, key in enumerate(keys, 1):
        plain = [kept for kept in plain if key is None or kept[1] != key] + [(sequence, key)]
        if len(plain) > events_max:
            lost = plain.pop(0)[0]
    ring = ring_of(events_max, *keys)
    assert sequences(ring, after) == [sequence for sequence, _ in plain if sequence > after]
    assert (len(ring), ring.lost, ring.head) == (len(plain), lost, len(keys))


@pytest.mark.parametrize("name", ["", "e", "e-", "e-x", "e--1", "f-1", "e-3", "e-¹", "e-" + "9" * 40])
def test_a_name_that_is_not_of_this_ring_means_nothing(name: str) -> None:
    assert ring_of(9, None, None).sequence_of(name) is None


@given(st.text(max_size=20), st.integers(0, 2))
def test_every_event_is_found_by_its_own_name(epoch: str, sequence: int) -> None:
    ring = Ring(epoch, 9)
    ring.append(event(1))
    ring.append(event(2))
    assert ring.sequence_of(ring.event_id(sequence)) == sequence


def test_a_ring_that_goes_on_elsewhere_forgets_all_and_knows_no_older_name() -> None:
    ring = ring_of(9, None, "open")
    ring.begin("e", 7)
    ring.append(event(8, "open"))
    assert (sequences(ring), len(ring), ring.lost, ring.head) == ([8], 1, 7, 8)
    ring.begin("f", 0)
    assert (ring.sequence_of("e-8"), ring.sequence_of("f-0"), ring.sequence_ahead("f-3")) == (None, 0, 3)
