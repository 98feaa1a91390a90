"""Arithmetic of sets of time: what is held, what is known to be empty, what is missing.

A set is a sorted tuple of disjoint spans that do not touch, so equal sets are equal tuples. Functions take spans in any
order, overlapping or not, and give back that form. The database does the same with `tstzmultirange`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime

from marketdata.model.span import Span
from marketdata.model.timeframe import Timeframe

Spans = tuple[Span, ...]


def union(*sets: Iterable[Span]) -> Spans:
    """Every moment that is in at least one of `sets`."""
    merged: list[Span] = []
    for span in sorted((span for spans in sets for span in spans), key=_start):
        if merged and span.start <= merged[-1].end:
            if merged[-1].end < span.end:
                merged[-1] = Span(merged[-1].start, span.end)
        else:
            merged.append(span)
    return tuple(merged)


def subtract(spans: Iterable[Span], holes: Iterable[Span]) -> Spans:
    """Every moment that is in `spans` and not in `holes`."""
    left: list[Span] = []
    cuts = union(holes)
    for span in union(spans):
        left.extend(_without(span, _meeting(cuts, span)))
    return tuple(left)


def clip(spans: Iterable[Span], window: Span) -> Spans:
    """Every moment of `spans` that is inside `window`."""
    return pieces(union(spans), window)


def pieces(spans: Spans, window: Span) -> Spans:
    """`clip` for spans that are in the sorted, merged form already."""
    return tuple(Span(max(s.start, window.start), min(s.end, window.end)) for s in _meeting(spans, window))


def intersect(spans: Iterable[Span], windows: Iterable[Span]) -> Spans:
    """Every moment that is in `spans` and in `windows`."""
    whole = union(spans)
    return tuple(part for window in union(windows) for part in pieces(whole, window))


def replace_inside(spans: Spans, window: Span, inside: Iterable[Span]) -> Spans:
    """`spans` with `inside` in place of whatever they have of `window`; only the neighbourhood is looked at.

    `spans` must be in the sorted, merged form, and `inside` within `window`.
    """
    first = bisect_left(spans, window.start, key=_end)
    after = bisect_right(spans, window.end, key=_start)
    near = union(subtract(spans[first:after], (window,)), inside)
    return spans[:first] + near + spans[after:]


def meeting(spans: Spans, windows: Spans) -> Spans:
    """Those of `spans` that share a moment with `windows`, or lie between them; both in the sorted, merged form."""
    return _meeting(spans, Span(windows[0].start, windows[-1].end)) if windows else ()


def contains(spans: Spans, span: Span) -> bool:
    """Whether `span` lies wholly inside `spans`, which must be in the sorted, merged form."""
    at = bisect_right(spans, span.start, key=_start) - 1
    return at >= 0 and span.end <= spans[at].end


def buckets_touching(spans: Iterable[Span], timeframe: Timeframe) -> Spans:
    """The whole buckets that share a moment with `spans`."""
    return union(Span(timeframe.floor(span.start), timeframe.ceil(span.end)) for span in spans)


def buckets_inside(spans: Iterable[Span], timeframe: Timeframe) -> Spans:
    """The whole buckets all of whose moments are in `spans`."""
    edges = ((timeframe.ceil(span.start), timeframe.floor(span.end)) for span in union(spans))
    return tuple(Span(start, end) for start, end in edges if start < end)


def _without(span: Span, holes: Sequence[Span]) -> list[Span]:
    """What is left of `span`; `holes` are sorted, disjoint and all meet it."""
    edges = [span.start, *(edge for hole in holes for edge in (hole.start, hole.end)), span.end]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [Span(start, end) for start, end in pairs if start < end]


def _meeting(spans: Spans, window: Span) -> Spans:
    """The run of sorted, disjoint `spans` that share a moment with `window`."""
    first = bisect_right(spans, window.start, key=_end)
    after = first
    while after < len(spans) and spans[after].start < window.end:
        after += 1
    return spans[first:after]


def _start(span: Span) -> datetime:
    return span.start


def _end(span: Span) -> datetime:
    return span.end
