"""Answer a question for candles: a page of them, what is known of its time, and where the next page begins.

Called by answer_candles, which writes the answer in one of its formats.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from marketdata.clock import Clock
from marketdata.compute.coverage import union
from marketdata.compute.fill import Slot, fill_buckets
from marketdata.compute.indicators import moving_averages
from marketdata.errors import RequestInvalid
from marketdata.jobs.candle_plan import CandlePlan, after, make_plan
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.model.candle import Candle
from marketdata.model.instrument import Instrument
from marketdata.serve.candle_answer import CandleAnswer, CandleRow, Fill
from marketdata.serve.condition import SETTLING, Condition, Known, judge, judged_span, unjudged
from marketdata.serve.cursor import Cursors
from marketdata.serve.params import CandleQuery
from marketdata.store.answers import CandlePage
from marketdata.store.limits import ROWS_MAX
from marketdata.store.store import Store


def plan_candles(
    store: Store, instruments: KnownInstruments, cursors: Cursors, clock: Clock, query: CandleQuery
) -> CandlePlan:
    """What to ask the store for one page. Raises: RequestInvalid, StoreError."""
    instrument = instrument_of(instruments, query)
    if query.cursor is not None:
        query = after(query, cursors.read(query.question(instrument), query.cursor))
    return make_plan(store, instrument, query, clock.now())


def find_candles(store: Store, cursors: Cursors, plan: CandlePlan, asked: CandleQuery) -> CandleAnswer:
    """One page of the question `asked`; a null `next_cursor` means that there is no more.

    The condition speaks of the time that this page answers, so that the pages' gaps together are the question's.
    Raises: StoreError.
    """
    found, before = plan.read(store, plan.page), plan.read(store, plan.before)
    shown, last = _shown(plan, found)
    condition = _condition(plan, shown, found, more=last is not None)
    next_cursor = cursors.issue(asked.question(plan.instrument), last) if last is not None else None
    rows = _rows(plan, shown, found, before)
    return _answer(plan, rows, condition, next_cursor, (found, before))


def find_latest(store: Store, plan: CandlePlan) -> CandleAnswer:
    """The newest candles, oldest first, judged up to now. Raises: StoreError."""
    found, before = plan.read(store, plan.page), plan.read(store, plan.before)
    shown, _ = _shown(plan, found)
    condition = _condition(plan, shown, found, more=True)
    rows = _rows(plan, shown, found, before)
    return _answer(plan, rows[::-1], condition, None, (found, before))


def instrument_of(instruments: KnownInstruments, query: CandleQuery) -> Instrument:
    """Whom the question is about. Raises: RequestInvalid if the timeframe asked for is not kept of it; StoreError."""
    instrument = instruments.find(query.symbol, query.exchange)
    if query.timeframe not in instrument.timeframes:
        kept = tuple(timeframe.name for timeframe in instrument.timeframes)
        reason = f"{query.timeframe} is not kept of {instrument.symbol}; there are {', '.join(kept)}"
        raise RequestInvalid("timeframe", reason, kept)
    return instrument


def _answer(
    plan: CandlePlan,
    rows: Sequence[CandleRow],
    condition: Condition,
    next_cursor: str | None,
    pages: tuple[CandlePage, CandlePage],
) -> CandleAnswer:
    return CandleAnswer(
        instrument=plan.instrument,
        timeframe=plan.query.timeframe,
        view=plan.query.view,
        rows=tuple(rows),
        condition=condition,
        next_cursor=next_cursor,
        as_of=plan.as_of,
        version=" ".join(page.version for page in pages if page.version),
    )


def _shown(plan: CandlePlan, found: CandlePage) -> tuple[list[Candle], datetime | None]:
    """The candles of this page, in the order of the question, and after which bucket the next page begins."""
    query = plan.query
    if plan.grid is not None:
        ordered = found.candles[::-1] if query.newest_first else found.candles
        return ordered, plan.grid.last(query)
    shown = found.candles[: query.limit]
    if query.view.averages and query.newest_first and len(found.candles) == ROWS_MAX:
        # The means of the oldest shown ones need those before them, and the store gives no more at once.
        shown = found.candles[: min(query.limit, ROWS_MAX - max(query.view.averages))]
    more = len(shown) < len(found.candles) or len(shown) == ROWS_MAX
    return shown, shown[-1].open_time if more else None


def _rows(plan: CandlePlan, shown: list[Candle], found: CandlePage, before: CandlePage) -> list[CandleRow]:
    """The page's rows in the order of the question, with what the view asks for."""
    query = plan.query
    if plan.grid is None and not query.view.averages:
        return [CandleRow(candle.open_time, candle) for candle in shown]
    oldest_first = shown[::-1] if query.newest_first else shown
    means, without = _means(query, found, before), (None,) * len(query.view.averages)
    slots = _filled(plan, oldest_first, before) if plan.grid else [(one.open_time, one, None) for one in oldest_first]
    rows = [CandleRow(opens, candle, close, means.get(opens, without)) for opens, candle, close in slots]
    return rows[::-1] if query.newest_first else rows


def _filled(plan: CandlePlan, oldest_first: list[Candle], before: CandlePage) -> list[Slot]:
    """Every bucket of the page that has settled, and the candles of those that have not."""
    assert plan.grid is not None
    timeframe, page = plan.query.timeframe, plan.grid.page
    settled = min(page.end, timeframe.floor(plan.as_of - SETTLING))
    carried = before.candles[0].close if before.candles else None
    slots = fill_buckets(oldest_first, timeframe, page.start, settled, carried)
    if plan.query.view.fill is Fill.PREVIOUS:
        return list(slots)
    return [(opens, candle, None) for opens, candle, _ in slots]


def _means(query: CandleQuery, found: CandlePage, before: CandlePage) -> dict[datetime, tuple[Decimal | None, ...]]:
    """Of each candle by its opening, the means that the view asks for."""
    lengths = query.view.averages
    if not lengths:
        return {}
    candles = [*before.candles, *found.candles]
    candles.sort(key=lambda one: one.open_time)
    empty = union((*before.empty, *found.empty))
    columns = [moving_averages(candles, length, empty) for length in lengths]
    return {one.open_time: tuple(means) for one, *means in zip(candles, *columns, strict=True)}


def _condition(plan: CandlePlan, shown: list[Candle], found: CandlePage, *, more: bool) -> Condition:
    """What is known of the time that this page answers."""
    query, as_of = plan.query, plan.as_of
    start, end = (plan.grid.page.start, plan.grid.page.end) if plan.grid else _answered(query, shown, more, as_of)
    judged = judged_span(start, end, query.timeframe, as_of) if start is not None else None
    if judged is None:
        return unjudged(anything_held=bool(shown) or start is not None)
    known = Known(found.empty, found.lacking, found.lacking_total, found.named, found.named_cut)
    return judge(judged, query.timeframe, shown, known, plan.instrument.calendar)


def _answered(query: CandleQuery, page: list[Candle], more: bool, as_of: datetime) -> tuple[datetime | None, datetime]:
    """From where to where this page speaks; no start if none was asked for and nothing is held."""
    end = query.end or as_of
    if not page:
        return query.start, end
    if query.newest_first:
        return (page[-1].open_time if more or query.start is None else query.start), end
    return query.start or page[0].open_time, (page[-1].close_time if more else end)
