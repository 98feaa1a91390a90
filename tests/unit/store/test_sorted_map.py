"""The in-memory table reads like a sorted dictionary."""

from hypothesis import given
from hypothesis import strategies as st
from marketdata.store.sorted_map import SortedMap

bounds = st.none() | st.integers(-1, 11)


@given(
    st.lists(st.tuples(st.integers(0, 10), st.booleans())),
    bounds,
    bounds,
    st.none() | st.integers(0, 5),
    st.booleans(),
)
def test_a_stretch_of_keys_is_read_in_order(
    changes: list[tuple[int, bool]], start: int | None, end: int | None, limit: int | None, newest_first: bool
) -> None:
    table: SortedMap[int] = SortedMap()
    plain: dict[int, int] = {}
    for number, (key, present) in enumerate(changes):
        if present:
            table.put(key, number)
            plain[key] = number
        elif key in table:
            table.remove(key)
            del plain[key]
    keys = [key for key in sorted(plain) if (start is None or start <= key) and (end is None or key < end)]
    expected = [plain[key] for key in (reversed(keys) if newest_first else keys)][:limit]
    assert list(table.between(start, end, limit=limit, newest_first=newest_first)) == expected
    assert [table.get(key) for key in range(11)] == [plain.get(key) for key in range(11)]
