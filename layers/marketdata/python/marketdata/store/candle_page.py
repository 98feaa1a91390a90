"""What a page of candles lacks: the in-memory store's twin of the database's read_candles_v1 (migrations/)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256

from marketdata.compute.coverage import Spans, clip, intersect, subtract, union
from marketdata.model.candle import Candle
from marketdata.model.gap import Gap, NamedSpan
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, Timeframe
from marketdata.store.answers import CandlePage, Coverage
from marketdata.store.limits import LISTED_MAX


def with_version(page: CandlePage) -> CandlePage:
    """The page and the word for what it says."""
    said = (page.candles, page.empty, page.lacking, page.lacking_total, page.named, page.named_cut)
    revision = max((one.revision for one in page.candles), default=0)
    digest = sha256(repr(said).encode()).hexdigest()[:32]
    return replace(page, version=f"{len(page.candles)}-{revision}-{digest}")


def page_window(
    timeframe: Timeframe,
    found: Sequence[Candle],
    *,
    start: datetime | None,
    end: datetime | None,
    settled: datetime,
    cut: bool,
    newest_first: bool,
) -> Span | None:
    """The whole, settled buckets that a page of candles speaks of; None if there are none. `cut`: there may be more."""
    times = sorted(one.open_time for one in (*found[:1], *found[-1:]))
    first = start or (times[0] if times else None)
    closes = timeframe.floor(settled)
    if first is None or first >= closes:
        return None
    opens = timeframe.ceil(first)
    if end is not None and end < closes:
        closes = min(closes, timeframe.ceil(end))
    if cut and newest_first:
        opens = times[0]
    elif cut:
        closes = min(closes, times[-1] + timeframe.duration)
    return Span(opens, closes) if opens < closes else None


def candle_page(
    timeframe: Timeframe, found: list[Candle], window: Span, known: Coverage, named_in: Callable[[Spans], list[Gap]]
) -> CandlePage:
    """The page of `found`, of whose `window` the minutes' coverage and ledger say `known` and `named_in`."""
    absent = subtract([window], (Span(one.open_time, one.close_time) for one in found))
    parts = clip((Span(one.open_time, one.close_time) for one in found if not one.complete), window)
    lacking = subtract(parts, known.empty if timeframe == M1 else (*known.empty, *known.covered))
    empty = intersect(known.empty, absent)
    named = named_in(union(subtract(absent, empty), lacking))
    return CandlePage(
        found,
        empty=empty,
        lacking=lacking[:LISTED_MAX],
        lacking_total=len(lacking),
        named=tuple(NamedSpan(gap.span, gap.state, gap.reason) for gap in named[:LISTED_MAX]),
        named_cut=len(named) > LISTED_MAX,
    )
