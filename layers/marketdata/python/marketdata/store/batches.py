"""Writes in bounded pieces."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

BATCH_ROWS_MAX = 1_000
"""Rows of one write: fast, and far below the statement timeout."""

Item = TypeVar("Item")


def batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """The items in their order, at most BATCH_ROWS_MAX at a time."""
    for start in range(0, len(items), BATCH_ROWS_MAX):
        yield items[start : start + BATCH_ROWS_MAX]
