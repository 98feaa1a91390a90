"""Times, numbers and spans on their way to the database."""

from marketdata.store.wire import multirange

from tests.contract.histories import span


def test_spans_are_ranges_without_their_end() -> None:
    assert multirange([span(0, 1)]) == "{[2026-08-31T00:00:00Z,2026-08-31T00:01:00Z)}"
    assert multirange([]) == "{}"
