"""The parts in which the candles of a span are exported: what is written is kept, so that nobody writes it again."""

from marketdata.compute.months import by_month
from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe

PART_BUCKETS_MAX = 50_000
"""A month of minutes, or years of hours: some two seconds of work."""


def export_parts(span: Span, timeframe: Timeframe) -> tuple[Span, ...]:
    """`span` in whole months, as many a part as have no more than PART_BUCKETS_MAX buckets, but one at least."""
    parts: list[Span] = []
    for month in by_month(span):
        grown = Span(parts[-1].start, month.end) if parts else month
        if parts and (grown.end - grown.start) / timeframe.duration <= PART_BUCKETS_MAX:
            parts[-1] = grown
        else:
            parts.append(month)
    return tuple(parts)
