"""What callers prefer."""

import pytest
from marketdata.serve.preference import prefers_async


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, False),
        ("", False),
        ("respond-async", True),
        ("Respond-Async", True),
        ("return=minimal, respond-async; wait=10", True),
        ("respond-asynchronously", False),
        ("wait=10", False),
    ],
)
def test_an_answer_at_once_is_preferred_by_its_name(header: str | None, wanted: bool) -> None:
    assert prefers_async(header) is wanted
