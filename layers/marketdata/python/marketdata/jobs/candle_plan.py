"""What to ask the store for a question about candles: a page, and where means or fillings need them the candles before.

A plan is made without looking at a candle (but for the oldest one's time, where a filled answer has no start), so that
the version of an answer can be asked before its rows. `query_candles` turns what comes back into rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.serve.candle_answer import Fill
from marketdata.serve.condition import SETTLING
from marketdata.serve.params import CandleQuery
from marketdata.serve.validator import PAST_AFTER
from marketdata.store.answers import CandlePage
from marketdata.store.limits import ROWS_MAX
from marketdata.store.store import Store


@dataclass(frozen=True, slots=True)
class PageQuestion:
    """One question to the store; its fields are those of Store.read_candles."""

    start: datetime | None
    end: datetime | None
    limit: int
    newest_first: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """The buckets of a filled answer, and those of them that this page shows."""

    whole: Span
    page: Span

    def last(self, query: CandleQuery) -> datetime | None:
        """The bucket after which the next page begins, in the order of the question; None if there is no more."""
        if query.newest_first:
            return self.page.start if self.whole.start < self.page.start else None
        return self.page.end - query.timeframe.duration if self.page.end < self.whole.end else None


@dataclass(frozen=True, slots=True)
class CandlePlan:
    """How to answer `query`, of which a cursor's part is done already.

    `page` is None where nothing is left to ask. `before` are the candles before the page that means or fillings begin
    with. A filled answer has a `grid`. The answer is as of `as_of` or later.
    """

    instrument: Instrument
    query: CandleQuery
    as_of: datetime
    page: PageQuestion | None
    before: PageQuestion | None = None
    grid: Grid | None = None

    def read(self, store: Store, question: PageQuestion | None) -> CandlePage:
        """The store's answer to one question of the plan; nothing to a question that there is not."""
        if question is None:
            return CandlePage([])
        return store.read_candles(
            self.instrument,
            self.query.timeframe,
            start=question.start,
            end=question.end,
            limit=question.limit,
            settled=self.as_of - SETTLING,
            newest_first=question.newest_first,
        )

    def versions(self, store: Store) -> Iterator[str]:
        """What `read` would give in a word each, without a row."""
        for question in (self.page, self.before):
            if question is not None:
                yield store.candles_version(
                    self.instrument,
                    self.query.timeframe,
                    start=question.start,
                    end=question.end,
                    limit=question.limit,
                    settled=self.as_of - SETTLING,
                    newest_first=question.newest_first,
                )


def make_plan(store: Store, instrument: Instrument, query: CandleQuery, now: datetime) -> CandlePlan:
    """The plan for `query` at `now`. Raises: StoreError."""
    as_of = moment(query.end, now)
    if query.start is not None and query.end is not None and query.start >= query.end:
        return CandlePlan(instrument, query, as_of, None)
    if query.view.fill is Fill.NONE:
        return _plain(instrument, query, as_of)
    return _filled(store, instrument, query, as_of)


def moment(end: datetime | None, now: datetime) -> datetime:
    """As of when an answer at `now` is: the minute, or for time that is past the day.

    Answers of the same content are then the same to the last byte for as long, which is what a validator promises.
    """
    if end is not None and end <= now - PAST_AFTER:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        if end + SETTLING <= midnight:
            return midnight
    return now.replace(second=0, microsecond=0)


def _plain(instrument: Instrument, query: CandleQuery, as_of: datetime) -> CandlePlan:
    """One candle more than the page shows tells whether there are more."""
    warm_up = _warm_up(query)
    beyond = 1 + (warm_up if query.newest_first else 0)
    page = PageQuestion(query.start, query.end, min(query.limit + beyond, ROWS_MAX), query.newest_first)
    before = PageQuestion(None, query.start, warm_up, newest_first=True) if warm_up and query.start else None
    return CandlePlan(instrument, query, as_of, page, before)


def _filled(store: Store, instrument: Instrument, query: CandleQuery, as_of: datetime) -> CandlePlan:
    """As many buckets as the page may show: they, and not the candles in them, are counted."""
    grid = _grid(store, instrument, query, as_of)
    if grid is None:
        return CandlePlan(instrument, query, as_of, None)
    carried = 1 if query.view.fill is Fill.PREVIOUS else 0
    warm_up = max(_warm_up(query), carried)
    page = PageQuestion(grid.page.start, grid.page.end, query.limit)
    before = PageQuestion(None, grid.page.start, warm_up, newest_first=True) if warm_up else None
    return CandlePlan(instrument, query, as_of, page, before, grid)


def _grid(store: Store, instrument: Instrument, query: CandleQuery, as_of: datetime) -> Grid | None:
    """The buckets to fill; None if there is none to speak of. They end with the one that is open now."""
    timeframe = query.timeframe
    now = timeframe.floor(as_of) + timeframe.duration
    # Compared before they are widened: there is no bucket after the last day that a calendar has.
    end = timeframe.ceil(query.end) if query.end is not None and query.end < now else now
    asked = query.start if query.start is not None else _oldest(store, instrument, query)
    if asked is None or asked >= end:
        return None
    start = timeframe.ceil(asked)
    if start >= end:
        return None
    shown = min(end - start, query.limit * timeframe.duration)
    page = Span(end - shown, end) if query.newest_first else Span(start, start + shown)
    return Grid(Span(start, end), page)


def _oldest(store: Store, instrument: Instrument, query: CandleQuery) -> datetime | None:
    found = store.candles(instrument, query.timeframe, start=None, end=query.end, limit=1)
    return found[0].open_time if found else None


def _warm_up(query: CandleQuery) -> int:
    """How many candles before the first shown one its means need."""
    return max(query.view.averages, default=1) - 1


def after(query: CandleQuery, last: datetime) -> CandleQuery:
    """What is left of a question after the page that ended with the bucket `last`."""
    if query.newest_first:
        return replace(query, end=last)
    return replace(query, start=last + query.timeframe.duration)
