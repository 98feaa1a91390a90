"""A few at a time, so that no list is longer than it need be."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

One = TypeVar("One")


def batches(everything: Iterable[One], most: int) -> Iterator[list[One]]:
    """Lists of at most `most`, in order, none of them empty."""
    rest = iter(everything)
    while some := list(islice(rest, most)):
        yield some
