"""A half-open stretch of time."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """`[start, end)`, both aware UTC; `end` is excluded."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        assert self.start < self.end, f"an empty span: {self.start} .. {self.end}"

    def __contains__(self, time: datetime) -> bool:
        return self.start <= time < self.end
